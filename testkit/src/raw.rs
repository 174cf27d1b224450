//! Replies as they left the server: every header, every byte.

use crate::document::Draft;
use futures_util::StreamExt;
use std::time::Duration;

/// A whole reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raw {
    /// Status.
    pub status: u16,
    /// Names and values in order of name.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body; of a stream that does not end, what came at once.
    pub body: Vec<u8>,
}

/// Somebody who sends drafts.
#[derive(Clone)]
pub struct Sender {
    http: reqwest::Client,
    url: String,
    token: Option<String>,
}

/// How long an endless stream is listened to.
const LISTEN: Duration = Duration::from_millis(150);

impl Sender {
    /// Somebody with an access token, or nobody.
    pub fn new(url: &str, token: Option<&str>) -> Self {
        let http = reqwest::Client::builder().build().expect("a client");
        Self { http, url: url.to_owned(), token: token.map(str::to_owned) }
    }

    /// Sends a draft and takes everything that comes back.
    pub async fn send(&self, draft: &Draft) -> Raw {
        let url = format!("{}{}", self.url, draft.target);
        let mut request = self.http.request(draft.method.clone(), url);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        for (name, value) in &draft.headers {
            request = request.header(name, value);
        }
        if let Some(body) = &draft.body {
            request = request.header("content-type", "application/json").body(body.clone());
        }
        read(request.send().await.expect("a reply")).await
    }
}

async fn read(response: reqwest::Response) -> Raw {
    let status = response.status().as_u16();
    let header = |(name, value): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| {
        (name.to_string(), value.as_bytes().to_vec())
    };
    let mut headers: Vec<_> = response.headers().iter().map(header).collect();
    headers.sort();
    let endless = headers
        .iter()
        .any(|(name, value)| name == "content-type" && value.starts_with(b"text/event-stream"));
    let body = if endless {
        listen(response).await
    } else {
        response.bytes().await.expect("a whole reply").to_vec()
    };
    Raw { status, headers, body }
}

async fn listen(response: reqwest::Response) -> Vec<u8> {
    let (mut stream, mut heard) = (response.bytes_stream(), Vec::new());
    while let Ok(Some(Ok(part))) = tokio::time::timeout(LISTEN, stream.next()).await {
        heard.extend_from_slice(&part);
    }
    heard
}

impl Raw {
    /// A header's text.
    pub fn header(&self, name: &str) -> Option<String> {
        let found = self.headers.iter().find(|(it, _)| it == name);
        found.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
    }

    /// Everything that left the server.
    pub fn bytes(&self) -> Vec<u8> {
        let mut all = Vec::new();
        for (name, value) in &self.headers {
            all.extend_from_slice(name.as_bytes());
            all.push(b':');
            all.extend_from_slice(value);
            all.push(b'\n');
        }
        all.extend_from_slice(&self.body);
        all
    }

    /// Status, headers and body as text, without the moment and the name of the request, and
    /// without `sent`, which the caller knew.
    pub fn telling(&self, sent: &[&str]) -> String {
        let mut text = format!("{}\n", self.status);
        for (name, value) in &self.headers {
            if name != "date" && name != "x-request-id" {
                text += &format!("{name}: {}\n", String::from_utf8_lossy(value));
            }
        }
        text += &String::from_utf8_lossy(&self.body);
        if let Some(id) = self.header("x-request-id") {
            text = text.replace(&id, "<request>");
        }
        for it in sent.iter().filter(|it| !it.is_empty()) {
            text = text.replace(it, "<sent>");
        }
        text
    }
}

/// The same text with every UUID but the nil one, every token and every random secret replaced.
pub fn without_ids(text: &str) -> String {
    let mut rest = text;
    let mut out = String::with_capacity(text.len());
    while let Some(first) = rest.chars().next() {
        let length = id_length(rest);
        if length == 0 {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            out += "<id>";
            rest = &rest[length..];
        }
    }
    out
}

/// How long the id is with which `text` begins; 0 when it begins with none.
pub fn id_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let uuid = bytes.len() >= 36
        && bytes[..36].iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    if uuid && !text.starts_with("00000000-0000-0000-0000-000000000000") {
        return 36;
    }
    let secret = ["eyJ", "bfr_", "bfk_", "bfs_"].iter().any(|start| text.starts_with(start));
    let word = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
    if secret { bytes.iter().take_while(|byte| word(byte)).count() } else { 0 }
}
