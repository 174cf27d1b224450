//! The one rule for writing a file into a workspace, whoever writes: the API or a run.

use crate::{
    FilePath,
    analysis::{Analyser, Analysis, AnalysisFailed, Diagnostic, Severity, SyntaxError, Workflow},
    module_name::Reserved,
    requirements::{self, Requirements},
    schedule::{BadSchedule, Schedule},
};

/// What is to be done with Python that does not parse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// It is not written.
    Refuse,
    /// It is written, and has no workflows.
    Accept,
}

/// What goes with a file that may be written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Accepted {
    /// To be registered with the file.
    pub workflows: Vec<Workflow>,
    /// To be told to whoever wrote it.
    pub diagnostics: Vec<Diagnostic>,
}

/// Why a file may not be written. Each writer has words of its own.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Larger than this many KiB.
    #[error("larger than {0} KiB")]
    TooLarge(u32),
    /// A module's name that belongs to somebody else.
    #[error("the name is reserved")]
    Reserved(Reserved),
    /// It does not parse.
    #[error("does not parse: {}", .0.message)]
    Syntax(SyntaxError),
    /// Nobody could read it just now; it may be tried again.
    #[error(transparent)]
    Analysis(#[from] AnalysisFailed),
}

/// Decides whether `content` may be written to `path`. `max_kb` is the organization's
/// `modules.max_file_kb`; the analyser is asked only about Python that passes the rest.
pub async fn admit(
    path: &FilePath,
    content: &[u8],
    max_kb: u32,
    invalid: Invalid,
    analyser: &dyn Analyser,
) -> Result<Accepted, Refusal> {
    if content.len() as u64 > u64::from(max_kb) * 1024 {
        return Err(Refusal::TooLarge(max_kb));
    }
    if let Some(reserved) = path.module().and_then(|name| name.reserved()) {
        return Err(Refusal::Reserved(reserved));
    }
    if requirements::is_requirements(path) {
        // It may be written all the same: the packages there were go on being used.
        let diagnostics = Requirements::parse(content).diagnostics();
        return Ok(Accepted { diagnostics, ..Accepted::default() });
    }
    if !path.is_python() {
        return Ok(Accepted::default());
    }
    let analysis = match content.contains(&0) {
        true => Analysis { syntax_error: Some(null_byte()), ..Analysis::default() },
        false => analyser.analyse(path, content).await?,
    };
    let Analysis { syntax_error, diagnostics, workflows } = analysis;
    match syntax_error {
        Some(error) if invalid == Invalid::Refuse => Err(Refusal::Syntax(error)),
        Some(_) => Ok(Accepted::default()),
        None => {
            let schedules = workflows.iter().filter_map(about_schedule).collect::<Vec<_>>();
            Ok(Accepted { workflows, diagnostics: [diagnostics, schedules].concat() })
        }
    }
}

/// What is to be said about a workflow's schedule. The workflow itself is as good as any other.
fn about_schedule(workflow: &Workflow) -> Option<Diagnostic> {
    let fault = Schedule::fault(workflow)?;
    let severity = match fault {
        BadSchedule::Alone(_) => Severity::Warning,
        _ => Severity::Error,
    };
    let (line, code) = (workflow.line, "bad-schedule".to_owned());
    let message = format!("`{}` does not start by itself: {fault}", workflow.name);
    Some(Diagnostic { severity, line, column: 0, code, message })
}

/// CPython would say it too, but at a line that depends on its version.
fn null_byte() -> SyntaxError {
    let message = "source code cannot contain null bytes".to_owned();
    SyntaxError { message, line: 0, column: 0, text: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::Analysing;
    use std::{
        pin::pin,
        task::{Context, Poll, Waker},
    };

    /// Says the same of every file.
    struct Says(Result<Analysis, &'static str>);

    impl Analyser for Says {
        fn analyse<'a>(&'a self, _: &'a FilePath, _: &'a [u8]) -> Analysing<'a> {
            let answer = self.0.clone().map_err(|why| AnalysisFailed(why.to_owned()));
            Box::pin(std::future::ready(answer))
        }
    }

    const UNASKED: Says = Says(Err("asked"));

    fn decide(
        path: &str,
        content: &[u8],
        invalid: Invalid,
        analyser: &Says,
    ) -> Result<Accepted, Refusal> {
        let path = FilePath::parse(path).unwrap();
        let decision = pin!(admit(&path, content, 1, invalid, analyser));
        match decision.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(decision) => decision,
            Poll::Pending => panic!("nothing here waits"),
        }
    }

    fn good() -> Analysis {
        let workflow = Workflow {
            name: "greet".to_owned(),
            function: "greet".to_owned(),
            line: 1,
            description: String::new(),
            is_async: false,
            parameters: serde_json::json!({}),
            options: serde_json::Map::new(),
        };
        let (code, message) = ("unknown-type".to_owned(), "it is not known".to_owned());
        let severity = Severity::Warning;
        let diagnostic = Diagnostic { severity, line: 1, column: 1, code, message };
        Analysis { syntax_error: None, diagnostics: vec![diagnostic], workflows: vec![workflow] }
    }

    fn broken() -> Says {
        let syntax_error =
            SyntaxError { message: "invalid syntax".to_owned(), line: 3, column: 1, text: None };
        Says(Ok(Analysis { syntax_error: Some(syntax_error), ..good() }))
    }

    #[test]
    fn a_file_of_exactly_the_limit_is_taken_and_one_byte_more_is_not() {
        for path in ["data.bin", "main.py"] {
            let says = Says(Ok(Analysis::default()));
            decide(path, &[b'#'; 1024], Invalid::Refuse, &says).unwrap();
            let refusal = decide(path, &[b'#'; 1025], Invalid::Accept, &UNASKED).unwrap_err();
            assert!(matches!(refusal, Refusal::TooLarge(1)), "{refusal}");
        }
    }

    #[test]
    fn reserved_names_are_refused_whatever_is_in_them() {
        for (path, owner) in [
            ("json.py", Reserved::StandardLibrary),
            ("json/__init__.py", Reserved::StandardLibrary),
            ("bifrost/x.py", Reserved::Platform),
        ] {
            let refusal = decide(path, b"", Invalid::Accept, &UNASKED).unwrap_err();
            assert!(matches!(refusal, Refusal::Reserved(of) if of == owner), "{path}: {refusal}");
        }
    }

    #[test]
    fn what_is_not_python_is_taken_as_it_is() {
        let accepted = decide("data/json.txt", b"\0def (", Invalid::Refuse, &UNASKED).unwrap();
        assert_eq!(accepted, Accepted::default());
    }

    #[test]
    fn requirements_are_taken_with_remarks_on_their_lines() {
        let content = b"idna\n-e .\n";
        let accepted = decide("requirements.txt", content, Invalid::Refuse, &UNASKED).unwrap();
        let [said] = &accepted.diagnostics[..] else { panic!("{accepted:?}") };
        assert_eq!((said.severity, said.line), (Severity::Error, 2));
        assert_eq!(said.code, "refused-option");
    }

    #[test]
    fn python_brings_its_workflows_and_remarks() {
        let Analysis { workflows, diagnostics, .. } = good();
        let accepted = decide("main.py", b"x", Invalid::Refuse, &Says(Ok(good()))).unwrap();
        assert_eq!(accepted, Accepted { workflows, diagnostics });
    }

    #[test]
    fn a_schedule_that_never_starts_anything_is_told_with_the_line_of_its_workflow() {
        let mut analysis = good();
        analysis.workflows[0].options.insert("schedule".to_owned(), "tomorrow".into());
        let accepted = decide("main.py", b"x", Invalid::Refuse, &Says(Ok(analysis))).unwrap();
        assert_eq!(accepted.workflows.len(), 1);
        let [_, said] = &accepted.diagnostics[..] else { panic!("{accepted:?}") };
        assert_eq!(
            (said.severity, said.line, said.code.as_str()),
            (Severity::Error, 1, "bad-schedule")
        );
        assert!(said.message.starts_with("`greet` does not start by itself: `tomorrow` is no"));
        let mut alone = good();
        alone.workflows[0].options.insert("missed".to_owned(), "once".into());
        let accepted = decide("main.py", b"x", Invalid::Refuse, &Says(Ok(alone))).unwrap();
        assert_eq!(accepted.diagnostics[1].severity, Severity::Warning);
    }

    #[test]
    fn python_that_does_not_parse_has_nothing_and_needs_a_word() {
        let refusal = decide("main.py", b"x", Invalid::Refuse, &broken()).unwrap_err();
        assert!(matches!(refusal, Refusal::Syntax(error) if error.line == 3));
        let accepted = decide("main.py", b"x", Invalid::Accept, &broken()).unwrap();
        assert_eq!(accepted, Accepted::default());
    }

    #[test]
    fn null_bytes_do_not_parse_and_need_no_analyser() {
        let refusal = decide("main.py", b"x = 1\0", Invalid::Refuse, &UNASKED).unwrap_err();
        assert!(matches!(refusal, Refusal::Syntax(error) if error.message.contains("null bytes")));
        decide("main.py", b"x = 1\0", Invalid::Accept, &UNASKED).unwrap();
    }

    #[test]
    fn nothing_is_taken_unread() {
        for invalid in [Invalid::Refuse, Invalid::Accept] {
            let refusal = decide("main.py", b"x", invalid, &UNASKED).unwrap_err();
            assert!(matches!(refusal, Refusal::Analysis(_)), "{refusal}");
        }
    }
}
