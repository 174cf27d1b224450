//! Files as replies show them.

use crate::{
    etag::Tag,
    file_content::{Encoding, encode},
};
use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::{Timestamp, analysis, scope::Side};
use serde::Serialize;
use store::{File, FileEntry, Shadowed, Written};
use utoipa::ToSchema;

/// A file in a list.
#[derive(Serialize, ToSchema)]
#[schema(as = FileEntry)]
pub struct EntryReply {
    path: String,
    scope: Side,
    /// Counts from 1 per scope and path, and goes on after a deletion.
    version: u32,
    /// SHA-256 of the content in hex.
    hash: String,
    /// Bytes.
    size: u64,
    /// Whether this is the organization's and Global has the same path.
    overrides: bool,
    /// Whether the organization holds Global's file at this version.
    pinned: bool,
    /// What wrote it: `api`, `sdk`, `operator`, …
    source: String,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// By whom, for people.
    updated_by: String,
}

impl From<FileEntry> for EntryReply {
    fn from(entry: FileEntry) -> Self {
        Self {
            path: entry.path.into(),
            scope: entry.side,
            version: entry.version,
            hash: entry.hash,
            size: entry.size,
            overrides: entry.overrides,
            pinned: entry.pinned,
            source: entry.source,
            updated_at: entry.updated_at,
            updated_by: entry.updated_by,
        }
    }
}

/// The file of Global that a file of the organization hides.
#[derive(Serialize, ToSchema)]
#[schema(as = OverriddenFile)]
pub struct ShadowedReply {
    version: u32,
    hash: String,
}

impl From<Shadowed> for ShadowedReply {
    fn from(Shadowed { version, hash }: Shadowed) -> Self {
        Self { version, hash }
    }
}

/// A file with its content.
#[derive(Serialize, ToSchema)]
#[schema(as = File)]
pub struct FileReply {
    path: String,
    scope: Side,
    version: u32,
    hash: String,
    encoding: Encoding,
    content: String,
    #[schema(required = true)]
    overrides: Option<ShadowedReply>,
    pinned: bool,
    source: String,
}

impl From<File> for FileReply {
    fn from(File { entry, content, shadows }: File) -> Self {
        let (encoding, content) = encode(content);
        Self {
            path: entry.path.into(),
            scope: entry.side,
            version: entry.version,
            hash: entry.hash,
            encoding,
            content,
            overrides: shadows.map(Into::into),
            pinned: entry.pinned,
            source: entry.source,
        }
    }
}

/// A file as it is after a write.
#[derive(Serialize, ToSchema)]
#[schema(as = WrittenFile)]
pub struct WrittenReply {
    path: String,
    scope: Side,
    version: u32,
    hash: String,
    size: u64,
    #[schema(required = true)]
    overrides: Option<ShadowedReply>,
    pinned: bool,
    source: String,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    updated_by: String,
    /// Remarks on the content.
    diagnostics: Vec<DiagnosticReply>,
}

/// A remark on a file. Lines and columns count from 1; 0 means the whole.
#[derive(Serialize, ToSchema)]
#[schema(as = Diagnostic)]
pub struct DiagnosticReply {
    /// `error` or `warning`.
    #[schema(value_type = String)]
    severity: analysis::Severity,
    line: u32,
    column: u32,
    code: String,
    message: String,
}

impl From<analysis::Diagnostic> for DiagnosticReply {
    fn from(it: analysis::Diagnostic) -> Self {
        let analysis::Diagnostic { severity, line, column, code, message } = it;
        Self { severity, line, column, code, message }
    }
}

/// The reply to a write: 201 for a new file, 200 otherwise, with the new ETag.
pub fn written(written: Written, remarks: Vec<analysis::Diagnostic>) -> Response {
    let Written { entry, created, shadows } = written;
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    let tag = Tag::Own(entry.version).header();
    let reply = WrittenReply {
        path: entry.path.into(),
        scope: entry.side,
        version: entry.version,
        hash: entry.hash,
        size: entry.size,
        overrides: shadows.map(Into::into),
        pinned: entry.pinned,
        source: entry.source,
        updated_at: entry.updated_at,
        updated_by: entry.updated_by,
        diagnostics: remarks.into_iter().map(Into::into).collect(),
    };
    (status, [(header::ETAG, tag)], Json(reply)).into_response()
}
