//! Somebody who is signed in to the demo's server and speaks HTTP to it, as everybody does.

use anyhow::{Context, ensure};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// A signed-in person.
pub struct Person {
    http: reqwest::Client,
    url: String,
    token: String,
}

/// An execution that has ended, and how long the caller waited for it.
pub struct Run {
    /// The execution as the API shows it.
    pub execution: Value,
    /// From the request to the whole reply.
    pub waited: Duration,
}

impl Person {
    /// Signs in by password.
    pub async fn sign_in(
        url: &str,
        organization: &str,
        email: &str,
        password: &str,
    ) -> anyhow::Result<Self> {
        let nobody =
            Self { http: reqwest::Client::new(), url: url.to_owned(), token: String::new() };
        let credentials =
            json!({ "organization": organization, "email": email, "password": password });
        let reply = nobody.expect(Method::POST, "/api/auth/login", &credentials).await?;
        nobody.with_token(&reply)
    }

    /// The same person, acting in Global.
    pub async fn act_in_global(&self) -> anyhow::Result<Self> {
        let wish = json!({ "organization": null, "reason": "setting up the demo" });
        let reply = self.expect(Method::POST, "/api/auth/act", &wish).await?;
        self.with_token(&reply)
    }

    /// Writes a file, whatever is there; its version.
    pub async fn write(&self, path: &str, content: &str) -> anyhow::Result<u64> {
        let path = format!("/api/files/content/{path}");
        let reply = self.expect(Method::PUT, &path, &json!({ "content": content })).await?;
        reply["version"].as_u64().context("a reply without a version")
    }

    /// Deletes a file.
    pub async fn delete(&self, path: &str) -> anyhow::Result<()> {
        self.expect(Method::DELETE, &format!("/api/files/content/{path}"), &Value::Null).await?;
        Ok(())
    }

    /// Runs a workflow and waits for its end.
    pub async fn run(&self, workflow: &str, inputs: Value) -> anyhow::Result<Run> {
        let path = format!("/api/workflows/{workflow}/executions?wait=30");
        let started = Instant::now();
        let (status, execution) =
            self.call(Method::POST, &path, &json!({ "inputs": inputs })).await?;
        ensure!(status == StatusCode::OK, "`{workflow}` did not end in time: {execution}");
        Ok(Run { execution, waited: started.elapsed() })
    }

    /// Status and body of any request; request ids, which differ by nature, are taken out.
    pub async fn look(&self, path: &str) -> anyhow::Result<(StatusCode, Value)> {
        let (status, mut body) = self.call(Method::GET, path, &Value::Null).await?;
        if let Some(fields) = body.as_object_mut() {
            fields.remove("request_id");
        }
        Ok((status, body))
    }

    fn with_token(&self, reply: &Value) -> anyhow::Result<Self> {
        let token = reply["access_token"].as_str().context("a reply without a token")?.to_owned();
        Ok(Self { http: self.http.clone(), url: self.url.clone(), token })
    }

    async fn expect(&self, method: Method, path: &str, body: &Value) -> anyhow::Result<Value> {
        let (status, reply) = self.call(method.clone(), path, body).await?;
        ensure!(status.is_success(), "{method} {path}: {status}: {reply}");
        Ok(reply)
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: &Value,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token).header("if-match", "*");
        }
        if !body.is_null() {
            request = request.json(body);
        }
        let response = request.send().await?;
        let (status, text) = (response.status(), response.text().await?);
        let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text)? };
        Ok((status, body))
    }
}
