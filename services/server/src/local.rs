//! How a command reaches the server that runs on the same data directory: by `server.json`, over HTTP, with the user's key.

use std::path::PathBuf;

use bytes::Bytes;
use corral_credentials::{Credentials, CredentialsError, Secret};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::announce::Announcement;
use crate::config::Config;
use crate::said::Line;

/// A longer line, or a longer refusal, is not one of ours.
const LINE_BYTES_MAX: usize = 16 * 1024 * 1024;

#[derive(Debug, thiserror::Error)]
pub(crate) enum LocalError {
    #[error("no server runs on {}; `corral serve` starts one and prints a link", .0.display())]
    NoServer(PathBuf),
    #[error(
        "there is no key for {0}: set CORRAL_API_KEY, or look for it in the credentials file of who started the server"
    )]
    NoKey(String),
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    #[error("{0}: {1}")]
    Connect(String, std::io::Error),
    #[error("the server's answer broke off: {0}")]
    Http(#[from] hyper::Error),
    #[error("the server answered {0}: {1}")]
    Refused(u16, String),
    #[error("the server's answer is not one: {0}")]
    Answer(String),
}

/// A running server.
pub(crate) struct Local {
    pub(crate) announcement: Announcement,
    key: Secret,
}

impl Local {
    pub(crate) fn find(config: &Config, api_key: Option<String>) -> Result<Self, LocalError> {
        let announcement = Announcement::read(&config.data_dir);
        let announcement = announcement.ok_or_else(|| LocalError::NoServer(config.data_dir.clone()))?;
        let key = match api_key {
            Some(key) => Some(Secret::new(key)),
            None => stored_key(config, &announcement.url)?,
        };
        let key = key.ok_or_else(|| LocalError::NoKey(announcement.url.clone()))?;
        Ok(Self { announcement, key })
    }

    /// Posts JSON and answers with the whole body.
    pub(crate) async fn ask(&self, path: &str, body: String) -> Result<Bytes, LocalError> {
        let response = self.post(path, body).await?;
        Ok(response.into_body().collect().await?.to_bytes())
    }

    /// Gets a whole body.
    #[cfg(test)]
    pub(crate) async fn get(&self, path: &str) -> Result<Bytes, LocalError> {
        let response = self.send(Request::get(path), String::new()).await?;
        Ok(response.into_body().collect().await?.to_bytes())
    }

    /// Posts JSON and hands on line by line; answers with the last one.
    pub(crate) async fn listen(
        &self,
        path: &str,
        body: String,
        mut each: impl FnMut(&Line),
    ) -> Result<Line, LocalError> {
        let mut body = self.post(path, body).await?.into_body();
        let mut waiting = Vec::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame?.into_data() else { continue };
            waiting.extend_from_slice(&data);
            while let Some(end) = waiting.iter().position(|byte| *byte == b'\n') {
                let text: Vec<u8> = waiting.drain(..=end).collect();
                let line: Line =
                    serde_json::from_slice(&text).map_err(|error| LocalError::Answer(error.to_string()))?;
                if line.code.is_some() {
                    return Ok(line);
                }
                each(&line);
            }
            if waiting.len() > LINE_BYTES_MAX {
                return Err(LocalError::Answer("a line is too long".to_owned()));
            }
        }
        Err(LocalError::Answer("it ended before the last line: the server has gone".to_owned()))
    }

    async fn post(&self, path: &str, body: String) -> Result<Response<Incoming>, LocalError> {
        self.send(Request::post(path), body).await
    }

    async fn send(
        &self,
        request: hyper::http::request::Builder,
        body: String,
    ) -> Result<Response<Incoming>, LocalError> {
        let Announcement { address, url, .. } = &self.announcement;
        let authority = url.trim_start_matches("http://").to_owned();
        let stream = TcpStream::connect(&authority).await;
        let stream = stream.map_err(|error| LocalError::Connect(format!("{url} (bound to {address})"), error))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let request = request
            // The name that every server answers to, whatever it is bound to.
            .header(HOST, format!("localhost:{}", address.port()))
            .header(CONTENT_TYPE, "application/json")
            .header(AUTHORIZATION, format!("Bearer {}", self.key.expose()))
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| LocalError::Answer(error.to_string()))?;
        // The connection has to be driven for as long as its answer is read; it ends with it.
        corral_tasks::Tasks::new()
            .spawn("connection to the server", corral_tasks::Kind::Connection, async move { Ok(connection.await?) });
        let response = sender.send_request(request).await?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let said = http_body_util::Limited::new(response.into_body(), LINE_BYTES_MAX).collect().await;
        let said = said.map_err(|error| LocalError::Answer(error.to_string()))?.to_bytes();
        let message = serde_json::from_slice::<serde_json::Value>(&said).ok();
        let message = message.and_then(|said| Some(said.get("message")?.as_str()?.to_owned()));
        Err(LocalError::Refused(status.as_u16(), message.unwrap_or_default()))
    }
}

/// The user's key for a server: under its URL, or the default's (a server of port 0 has another URL at each start).
fn stored_key(config: &Config, url: &str) -> Result<Option<Secret>, CredentialsError> {
    let path = config.credentials.as_deref().ok_or(CredentialsError::NoPlace)?;
    let credentials = Credentials::load(path)?;
    let default = credentials.default_url().and_then(|url| credentials.key(url));
    Ok(credentials.key(url).or(default).cloned())
}
