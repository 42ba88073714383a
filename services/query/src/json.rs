//! The questions as proto3 JSON: 64-bit integers and numbers that are not finite as strings, enums by name, and columns
//! (which the wire packs into bytes) spelled out as arrays.

use bytes::Bytes;
use corral_domain::OrganizationId;
use corral_wire::{ApiError, DESCRIPTORS, proto};
use prost_reflect::prost::{Message, Name};
use prost_reflect::{DeserializeOptions, DynamicMessage, SerializeOptions};

use crate::Questions;

mod column;
mod unique;

/// A question by its method's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    ListProjects,
    ListRuns,
    GetRun,
    GetHistory,
}

/// Answers one question; `body` is the request, and the answer is JSON text.
pub async fn answer_json(
    questions: &Questions,
    method: Method,
    organization: OrganizationId,
    body: &Bytes,
) -> Result<String, ApiError> {
    match method {
        Method::ListProjects => to_json(&questions.list_projects(organization, from_json(body)?).await?),
        Method::ListRuns => to_json(&questions.list_runs(organization, from_json(body)?).await?),
        Method::GetRun => to_json(&questions.get_run(organization, from_json(body)?).await?),
        Method::GetHistory => history_to_json(questions.get_history(organization, from_json(body)?).await?),
    }
}

fn from_json<M: Message + Name + Default>(body: &Bytes) -> Result<M, ApiError> {
    let descriptor = DESCRIPTORS.get_message_by_name(&M::full_name()).ok_or_else(ApiError::internal)?;
    unique::check(body).map_err(refused)?;
    let mut json = serde_json::Deserializer::from_slice(body);
    let options = DeserializeOptions::new().deny_unknown_fields(true);
    let message = DynamicMessage::deserialize_with_options(descriptor, &mut json, &options).map_err(refused)?;
    json.end().map_err(refused)?;
    message.transcode_to().map_err(|error| ApiError::invalid("body", error))
}

/// A field that is not known is named, as everywhere.
fn refused(error: serde_json::Error) -> ApiError {
    let text = error.to_string();
    match text.strip_prefix("unrecognized field name '").and_then(|rest| rest.split_once('\'')) {
        Some((field, _)) => ApiError::unsupported(field.to_owned(), "is not known to this server"),
        None => ApiError::invalid("body", text),
    }
}

fn to_json<M: Message + Name>(message: &M) -> Result<String, ApiError> {
    let descriptor = DESCRIPTORS.get_message_by_name(&M::full_name()).ok_or_else(ApiError::internal)?;
    let mut dynamic = DynamicMessage::new(descriptor);
    dynamic.transcode_from(message).map_err(ours)?;
    let mut text = Vec::new();
    let mut json = serde_json::Serializer::new(&mut text);
    dynamic.serialize_with_options(&mut json, &SerializeOptions::new()).map_err(ours)?;
    String::from_utf8(text).map_err(ours)
}

/// A message of ours that does not become JSON.
fn ours(error: impl std::fmt::Display) -> ApiError {
    tracing::error!(%error, "an answer cannot be written as JSON");
    ApiError::internal()
}

/// Series by series: what identifies it as any message, then its columns as text, which never pass through values.
fn history_to_json(mut answer: proto::GetHistoryResponse) -> Result<String, ApiError> {
    let series = std::mem::take(&mut answer.series);
    if series.is_empty() {
        return to_json(&answer);
    }
    let mut out = String::from("{\"series\":[");
    for (at, mut one) in series.into_iter().enumerate() {
        let columns = one.columns.take();
        if at > 0 {
            out.push(',');
        }
        let mut object = Object::open(&mut out, &to_json(&one)?);
        match columns {
            Some(proto::series::Columns::Raw(raw)) => column::raw(object.field("raw"), &raw)?,
            Some(proto::series::Columns::Buckets(buckets)) => column::buckets(object.field("buckets"), &buckets)?,
            None => {}
        }
        object.close();
    }
    out.push(']');
    let rest = to_json(&answer)?;
    if rest != "{}" {
        out.push(',');
    }
    out.push_str(&rest[1..]);
    Ok(out)
}

/// A JSON object that gets more fields.
struct Object<'a> {
    out: &'a mut String,
    empty: bool,
}

impl<'a> Object<'a> {
    fn open(out: &'a mut String, text: &str) -> Self {
        out.push_str(text.strip_suffix('}').unwrap_or(text));
        Self { out, empty: text == "{}" }
    }

    fn field(&mut self, name: &str) -> &mut String {
        if !std::mem::take(&mut self.empty) {
            self.out.push(',');
        }
        self.out.push('"');
        self.out.push_str(name);
        self.out.push_str("\":");
        self.out
    }

    fn close(self) {
        self.out.push('}');
    }
}

#[cfg(test)]
mod tests;
