//! A signed-in person who speaks to a server over HTTP.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

/// Somebody with a token, or without.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    token: Option<String>,
}

/// A whole reply.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Header `ETag`.
    pub etag: Option<String>,
    /// JSON, or the text as a string, or null when empty.
    pub body: Value,
}

impl Client {
    /// Somebody at `url` with an access token, or nobody in particular.
    pub fn new(url: &str, token: Option<&str>) -> Self {
        let http = reqwest::Client::builder().build().expect("a client");
        Self { http, url: url.to_owned(), token: token.map(str::to_owned) }
    }

    /// The same person at another server of the same data.
    pub fn at(&self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self.clone() }
    }

    /// The same person, for whoever wants replies whole.
    pub fn sender(&self) -> crate::raw::Sender {
        crate::raw::Sender::new(&self.url, self.token.as_deref())
    }

    /// A request, for what the shortcuts below do not cover.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Sends a request and reads the whole reply.
    pub async fn send(&self, request: RequestBuilder) -> Reply {
        let response = request.send().await.expect("a reply");
        let status = response.status().as_u16();
        let etag = response.headers().get("etag").map(|tag| tag.to_str().unwrap().to_owned());
        let text = response.text().await.expect("a whole reply");
        let body = match text.as_str() {
            "" => Value::Null,
            json => serde_json::from_str(json).unwrap_or_else(|_| Value::String(text.clone())),
        };
        Reply { status, etag, body }
    }

    /// `GET`
    pub async fn get(&self, path: &str) -> Reply {
        self.send(self.request(Method::GET, path)).await
    }

    /// `POST` of JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    /// `PATCH` of JSON.
    pub async fn patch(&self, path: &str, body: &Value) -> Reply {
        self.send(self.request(Method::PATCH, path).json(body)).await
    }

    /// `DELETE`
    pub async fn delete(&self, path: &str) -> Reply {
        self.send(self.request(Method::DELETE, path)).await
    }

    /// Writes a text file whatever is there.
    pub async fn put_file(&self, path: &str, content: &str) -> Reply {
        let request = self.request(Method::PUT, &format!("/api/files/content/{path}"));
        self.send(request.header("if-match", "*").json(&json!({ "content": content }))).await
    }

    /// Deletes a file whatever is there.
    pub async fn delete_file(&self, path: &str) -> Reply {
        let request = self.request(Method::DELETE, &format!("/api/files/content/{path}"));
        self.send(request.header("if-match", "*")).await
    }

    /// Runs a workflow and waits for its end; the whole execution.
    pub async fn run(&self, workflow: &str, inputs: Value) -> Value {
        let path = format!("/api/workflows/{workflow}/executions?wait=60");
        let reply = self.post(&path, &json!({ "inputs": inputs })).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.body
    }
}
