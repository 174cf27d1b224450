//! The SDK's requests, answered with the access of the run and nothing else.

mod config;
mod executions;
mod results;
mod state;

pub(crate) use executions::Waiting;

use crate::{
    RunRequest,
    frames::{Call, Wrong},
    masking::Masking,
    sources::{SourceError, Sources},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{
    Access, FilePath,
    admission::{self, Invalid, Refusal},
    analysis::{Analyser, SyntaxError},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::sync::Arc;
use store::View;

/// Bytes of a file in one reply; its base64 fits into a frame.
const READ_PART: usize = 384 * 1024;
/// Most that parts may grow to: the base64 of 16 MiB. What a file may have is decided when it is whole.
const MAX_PARTS: usize = 22 * 1024 * 1024;

/// Answers the calls of one run, one after the other.
pub(crate) struct Calls<'a> {
    pub request: &'a RunRequest,
    pub sources: &'a Sources,
    pub analyser: &'a dyn Analyser,
    /// Learns what secrets the run is given.
    pub masking: &'a Arc<Masking>,
    /// What `files.part` or `results.part` has put in front of the next file, as it was sent;
    /// `None` when it was too much.
    parts: Option<Vec<String>>,
    /// The file that is being read in parts, so that all of them are of one version.
    reading: Option<(String, Where, Vec<u8>)>,
}

/// The `scope` argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Where {
    Cascade,
    Global,
}

#[derive(Deserialize)]
struct Read {
    path: String,
    scope: Where,
    #[serde(default)]
    offset: usize,
}

#[derive(Deserialize)]
struct Write {
    path: String,
    content: String,
    encoding: Encoding,
}

#[derive(Clone, Copy, Deserialize)]
enum Encoding {
    #[serde(rename = "utf-8")]
    Utf8,
    #[serde(rename = "base64")]
    Base64,
}

#[derive(Deserialize)]
struct List {
    prefix: String,
    scope: Where,
}

#[derive(Deserialize)]
struct Path {
    path: String,
}

#[derive(Deserialize)]
struct Part {
    data: String,
}

impl<'a> Calls<'a> {
    pub(crate) fn new(
        request: &'a RunRequest,
        sources: &'a Sources,
        analyser: &'a dyn Analyser,
        masking: &'a Arc<Masking>,
    ) -> Self {
        let parts = Some(Vec::new());
        Self { request, sources, analyser, masking, parts, reading: None }
    }

    fn access(&self) -> &'a Access {
        &self.request.access
    }

    /// A call that may wait for long, to be answered apart from the others.
    pub(crate) fn waiting(&self, call: &Call) -> Option<Waiting> {
        (call.method == "executions.wait").then(|| Waiting {
            access: self.access().clone(),
            execution: self.request.execution,
            sources: self.sources.clone(),
            place: self.request.place.clone(),
            arguments: call.arguments.clone(),
        })
    }

    /// Answers one call.
    pub(crate) async fn answer(&mut self, call: Call) -> Result<Value, Wrong> {
        let Call { method, arguments, .. } = call;
        let (request, sources) = (self.request, self.sources);
        if let Some(method) = method.strip_prefix("state.") {
            return state::answer(method, request, sources, arguments).await;
        }
        match method.as_str() {
            "files.read" => self.read_text(parse(arguments)?).await,
            "files.read_bytes" => self.read_bytes(parse(arguments)?).await,
            "files.exists" => self.exists(parse(arguments)?).await,
            "files.list" => self.list(parse(arguments)?).await,
            "files.part" | "results.part" => self.part(parse(arguments)?),
            "files.write" => self.write(parse(arguments)?).await,
            "files.delete" => self.delete(parse(arguments)?).await,
            "config.get" => config::get(self.access(), sources, self.masking, arguments).await,
            "executions.start" => executions::start(request, sources, arguments).await,
            "executions.get" => executions::get(self.access(), sources, arguments).await,
            "results.file" => {
                let before = self.joined()?;
                results::file(request, sources, self.masking, (before, arguments)).await
            }
            _ => Err(wrong("bifrost.BifrostError", format!("there is no method `{method}`"))),
        }
    }

    async fn read_text(&mut self, read: Read) -> Result<Value, Wrong> {
        let content = self.content(&read).await?;
        if content.len() > READ_PART {
            return Err(wrong("ValueError", "the file is too large: read it as bytes".to_owned()));
        }
        let text = String::from_utf8(content);
        text.map(Value::from).map_err(|error| wrong("ValueError", error.to_string()))
    }

    async fn read_bytes(&mut self, read: Read) -> Result<Value, Wrong> {
        let held = self.reading.take().filter(|(path, scope, _)| {
            read.offset > 0 && *path == read.path && *scope == read.scope
        });
        let content = match held {
            Some((_, _, content)) => content,
            None => self.content(&read).await?,
        };
        let size = content.len();
        let start = read.offset.min(size);
        let end = (start + READ_PART).min(size);
        let next = (end < size).then_some(end);
        let data = STANDARD.encode(&content[start..end]);
        if next.is_some() {
            self.reading = Some((read.path, read.scope, content));
        }
        Ok(json!({"data": data, "size": size, "next": next}))
    }

    async fn content(&self, read: &Read) -> Result<Vec<u8>, Wrong> {
        let path = path(&read.path)?;
        let found = self.sources.read(self.access(), &path, view(read.scope)).await;
        found.map_err(refused)?.ok_or_else(|| self.missing(&path, read.scope))
    }

    async fn exists(&self, read: Read) -> Result<Value, Wrong> {
        let Ok(path) = FilePath::parse(&read.path) else { return Ok(Value::from(false)) };
        let found = self.sources.read(self.access(), &path, view(read.scope)).await;
        Ok(Value::from(found.map_err(refused)?.is_some()))
    }

    async fn list(&self, list: List) -> Result<Value, Wrong> {
        let paths = self.sources.list(self.access(), &list.prefix, view(list.scope)).await;
        let paths = Value::from(paths.map_err(refused)?);
        if paths.to_string().len() > crate::frames::MAX_INLINE {
            let text = "there are too many files to list: give a longer prefix".to_owned();
            return Err(wrong("bifrost.BifrostError", text));
        }
        Ok(paths)
    }

    fn part(&mut self, part: Part) -> Result<Value, Wrong> {
        let parts = self.parts.as_mut().filter(|parts| {
            parts.iter().map(String::len).sum::<usize>() + part.data.len() <= MAX_PARTS
        });
        match parts {
            Some(parts) => parts.push(part.data),
            None => self.parts = None,
        }
        match self.parts {
            Some(_) => Ok(Value::Null),
            None => Err(too_large()),
        }
    }

    /// The parts that were sent, in one. They may have been sent without waiting for answers: when
    /// one was too much, what follows is refused too.
    fn joined(&mut self) -> Result<String, Wrong> {
        let parts = self.parts.replace(Vec::new());
        parts.map(|parts| parts.concat()).ok_or_else(too_large)
    }

    async fn write(&mut self, write: Write) -> Result<Value, Wrong> {
        self.reading = None;
        let mut text = self.joined()?;
        text.push_str(&write.content);
        let content = match write.encoding {
            Encoding::Utf8 => text.into_bytes(),
            Encoding::Base64 => STANDARD.decode(text).map_err(|error| {
                wrong("ValueError", format!("the content is no base64: {error}"))
            })?,
        };
        let path = path(&write.path)?;
        let (max_kb, analyser) = (self.request.limits.max_file_kb, self.analyser);
        let accepted = admission::admit(&path, &content, max_kb, Invalid::Refuse, analyser).await;
        let accepted = accepted.map_err(|refusal| not_admitted(&path, refusal))?;
        let written = self.sources.write(self.access(), path, &content, accepted.workflows).await;
        let (version, hash) = written.map_err(refused)?;
        Ok(json!({"path": write.path, "version": version, "hash": hash}))
    }

    async fn delete(&mut self, delete: Path) -> Result<Value, Wrong> {
        let path = path(&delete.path)?;
        match self.sources.delete(self.access(), &path).await.map_err(refused)? {
            true => Ok(Value::Null),
            false => {
                let text = format!("the organization has no file `{path}` of its own");
                Err(wrong("FileNotFoundError", text))
            }
        }
    }

    fn missing(&self, path: &FilePath, scope: Where) -> Wrong {
        let text = match scope {
            Where::Cascade if self.access().scope().organization().is_some() => {
                format!("neither the organization nor Global has a file `{path}`")
            }
            Where::Cascade | Where::Global => format!("Global has no file `{path}`"),
        };
        wrong("FileNotFoundError", text)
    }
}

fn too_large() -> Wrong {
    wrong("ValueError", "the content is over 16 MiB".to_owned())
}

fn view(scope: Where) -> View {
    match scope {
        Where::Cascade => View::Effective,
        Where::Global => View::Global,
    }
}

fn path(text: &str) -> Result<FilePath, Wrong> {
    FilePath::parse(text).map_err(|error| wrong("ValueError", error.to_string()))
}

fn parse<T: DeserializeOwned>(arguments: Value) -> Result<T, Wrong> {
    serde_json::from_value(arguments).map_err(|error| wrong("TypeError", error.to_string()))
}

/// What the API refuses too, as exceptions.
fn not_admitted(path: &FilePath, refusal: Refusal) -> Wrong {
    let text = match refusal {
        Refusal::Analysis(error) => return wrong("bifrost.BifrostError", error.to_string()),
        Refusal::TooLarge(kib) => format!("`{path}` is larger than {kib} KiB, the limit"),
        Refusal::Reserved(_) => {
            format!("`{path}` has the name of a module that is Python's or Bifrost's")
        }
        Refusal::Syntax(SyntaxError { message, line, .. }) => {
            format!("`{path}` does not parse: {message} (line {line})")
        }
    };
    wrong("ValueError", text)
}

fn refused(error: SourceError) -> Wrong {
    match &error {
        SourceError::Refused(text) => wrong("ValueError", text.clone()),
        SourceError::Failed(_) | SourceError::Odd(_) => {
            // What is told outside and what is logged inside are two texts.
            tracing::error!(%error, "the store failed a run's request");
            let text = "the workspace cannot be reached at the moment: try again".to_owned();
            wrong("bifrost.BifrostError", text)
        }
    }
}

fn wrong(kind: &'static str, message: String) -> Wrong {
    Wrong { kind, message }
}
