//! The network between components and storage, with everything that can go wrong on the way.

use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use azure::{Limits, TransportError};
use bytes::Bytes;
use futures::channel::oneshot;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};

use crate::call::Call;
use crate::executor::Group;
use crate::promise::Promise;
use crate::record::{Document, InstanceId, Role};
use crate::scenario::{Element, Fault, Op};
use crate::watch::Source;
use crate::world::{EXTERNAL_WRITER, World};

/// The group of requests that are under way: no crash of an instance stops them.
const NETWORK: Group = Group(0);
/// What a busy service asks for.
const ASKED_TO_WAIT: Duration = Duration::from_secs(2);

impl World {
    /// Sends a request on behalf of an instance, through whatever the scenario has in store for it.
    ///
    /// # Errors
    /// [`TransportError`] when no response arrives.
    pub async fn send(
        self: &Rc<Self>,
        from: InstanceId,
        request: Request<Bytes>,
        limits: Limits,
    ) -> Result<Response<Bytes>, TransportError> {
        let call = Call::of(&request);
        let source = self.source(from);
        self.record.borrow_mut().asked(source, &call, &request, self.rate_limit);
        let fault = self.fault(source, &call);
        self.note(|| {
            let trouble = fault.map(|fault| format!("  << {fault:?}")).unwrap_or_default();
            format!("{} {}{trouble}", who(source), describe(&call, &request))
        });
        if source.role == Role::Worker && self.record.borrow().is_deadly(from, &call) {
            return self.die(from, "of a deadly message").await;
        }
        let (tx, rx) = oneshot::channel();
        match fault {
            Some(Fault::CrashBefore) => return self.die(from, "before the request is sent").await,
            Some(Fault::NoConnection) => {
                self.exec.sleep(self.latency()).await;
                return Err(TransportError::Connect("connection refused".to_owned()));
            }
            Some(Fault::ResetBefore) => {
                self.exec.sleep(self.latency()).await;
                return Err(TransportError::Interrupted("connection reset".to_owned()));
            }
            Some(Fault::Refused(0)) => drop(tx),
            Some(Fault::Refused(status)) => {
                self.exec.sleep(self.latency()).await;
                let response = refusal(status, call.op);
                if response.headers().contains_key("retry-after") {
                    let source = self.source(from);
                    self.record.borrow_mut().told_to_wait(source, &call, &request, ASKED_TO_WAIT);
                }
                return Ok(self.falsified(source, &call, response));
            }
            _ => self.travel(source, call.clone(), request, fault, tx),
        }
        let running = (call.op == Op::Handler).then(|| Running::begin(self, from));
        let received = self.exec.timeout(limits.first_byte.min(limits.total), rx).await;
        drop(running);
        let response = match received {
            Some(Ok(response)) => response,
            // No service responds: the sender waits until it has waited long enough.
            Some(Err(_)) => {
                self.exec.sleep(limits.connect).await;
                return Err(TransportError::Connect("no connection in time".to_owned()));
            }
            None => return Err(TransportError::Timeout),
        };
        match fault {
            Some(Fault::CrashAfter) => return self.die(from, "before the response arrives").await,
            Some(Fault::ResetAfter) => {
                return Err(TransportError::Interrupted("connection reset".to_owned()));
            }
            Some(Fault::DoneYetRefused(status)) => return Ok(refusal(status, call.op)),
            _ => {}
        }
        let response = if fault == Some(Fault::Reordered) { response.map(reversed) } else { response };
        if response.body().len() > limits.max_response_bytes {
            return Err(TransportError::TooLarge(limits.max_response_bytes));
        }
        let source = self.source(from);
        self.record.borrow_mut().told(source, &call, &response);
        self.note(|| format!("{}   -> {} for {:?}", who(source), outcome(&response), call.op));
        Ok(self.falsified(source, &call, response))
    }

    async fn die<T>(&self, instance: InstanceId, why: &str) -> T {
        self.crash(instance, why);
        pending().await
    }

    /// The request travels on its own: it arrives even if its sender has given up or died.
    fn travel(
        self: &Rc<Self>,
        source: Source,
        call: Call,
        request: Request<Bytes>,
        fault: Option<Fault>,
        responder: oneshot::Sender<Response<Bytes>>,
    ) {
        let world = Rc::clone(self);
        if !matches!(call.op, Op::Handler | Op::Receiver) {
            world.under_way.set(world.under_way.get() + 1);
        }
        self.exec.spawn(NETWORK, async move {
            let late = |milliseconds: u64| Duration::from_millis(milliseconds);
            let there = match fault {
                Some(Fault::Late(ms)) => world.latency() + late(ms),
                _ => world.latency(),
            };
            world.exec.sleep(there).await;
            if call.op == Op::Handler {
                let response = crate::handler::respond(&world, &request, &responder).await;
                if let Some(response) = response {
                    // The worker may have stopped waiting.
                    let _ = responder.send(response);
                }
                return;
            }
            if call.op == Op::Receiver {
                if let Some(response) = crate::receiver::respond(&world, &request).await {
                    // The worker may have stopped waiting.
                    let _ = responder.send(response);
                }
                return;
            }
            if fault == Some(Fault::Twice) {
                world.apply(source.instance, &call, copy(&request));
            }
            let response = world.apply(source.instance, &call, request);
            world.under_way.set(world.under_way.get() - 1);
            let back = match fault {
                Some(Fault::LateResponse(ms)) => world.latency() + late(ms),
                _ => world.latency(),
            };
            world.exec.sleep(back).await;
            let _ = responder.send(response);
        });
    }

    /// The request reaches storage and has its effect, at this moment.
    fn apply(&self, from: InstanceId, call: &Call, request: Request<Bytes>) -> Response<Bytes> {
        let source = self.source(from);
        let plain = |request: Request<Bytes>| {
            let body = request.body().clone();
            let response = self.cloud.borrow_mut().respond(request, self.storage_clock());
            let mut record = self.record.borrow_mut();
            record.done(source, call, &body, &response);
            if source.role == Role::ExternalWriter || !response.status().is_success() {
                record.note(self.exec.now(), || format!("{} => {}", who(source), outcome(&response)));
            }
            response
        };
        match self.mutation {
            Some(mutation) => crate::tampering::apply(self, mutation, source, call, request, &plain),
            None => plain(request),
        }
    }

    fn falsified(&self, source: Source, call: &Call, response: Response<Bytes>) -> Response<Bytes> {
        match self.mutation {
            Some(mutation) => crate::tampering::falsified(self, mutation, source, call, response),
            None => response,
        }
    }

    /// Something done to storage from outside, at once and without trouble.
    pub fn outside(&self, mut request: Request<Bytes>) -> Response<Bytes> {
        self.cloud.borrow().sign(&mut request, self.storage_clock());
        let call = Call::of(&request);
        self.note(|| format!("external  {}", describe(&call, &request)));
        let body = request.body().clone();
        let response = self.cloud.borrow_mut().respond(request, self.storage_clock());
        self.record.borrow_mut().done(self.source(EXTERNAL_WRITER), &call, &body, &response);
        response
    }

    fn fault(&self, source: Source, call: &Call) -> Option<Fault> {
        if self.faults_off.get() || source.role == Role::ExternalWriter {
            return None;
        }
        let mut asked = self.asked.borrow_mut();
        let count = asked.entry(call.op).or_default();
        *count += 1;
        let planned = self.faults.get(&(call.op, *count - 1)).copied();
        drop(asked);
        let fault = planned
            .or_else(|| self.outage(source, call))
            .or_else(|| self.chance_fault(source, call))
            .or_else(|| self.refused_creation(call));
        if fault.is_some() {
            self.record.borrow_mut().count("fault");
        }
        fault
    }

    fn outage(&self, source: Source, call: &Call) -> Option<Fault> {
        self.scenario.elements.iter().find_map(|element| match element {
            Element::Outage { at, lasts, part, status }
                if (*at..*at + *lasts).contains(&source.now)
                    && call.is_hit_by(*part, source.role == Role::Worker) =>
            {
                Some(Fault::Refused(*status))
            }
            _ => None,
        })
    }
}

/// Counts a call of a handler while its worker waits for it.
struct Running {
    world: Rc<World>,
    instance: InstanceId,
}

impl Running {
    fn begin(world: &Rc<World>, instance: InstanceId) -> Self {
        let most = world.knobs().max_concurrency;
        let mut record = world.record.borrow_mut();
        let running = record.running.entry(instance).or_default();
        *running += 1;
        let running = *running;
        if running > most {
            let what =
                format!("instance {instance} ran {running} handlers at a time, max_concurrency is {most}");
            record.broken(Promise::P8, world.exec.now(), what);
        }
        // Only scripted tasks have a handler in the network, so all that run count.
        let of_name = world.knobs().scripted_concurrency;
        if of_name > 0 && running > of_name {
            let what =
                format!("instance {instance} ran {running} scripted tasks at a time, of {of_name} allowed");
            record.broken(Promise::P8, world.exec.now(), what);
        }
        let taken = running >= most;
        record.slots_are_taken(instance, taken, world.exec.now());
        drop(record);
        Self { world: Rc::clone(world), instance }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut record = self.world.record.borrow_mut();
        if let Some(running) = record.running.get_mut(&self.instance) {
            *running = running.saturating_sub(1);
            let taken = *running >= self.world.knobs().max_concurrency;
            record.slots_are_taken(self.instance, taken, self.world.exec.now());
        }
    }
}

/// The same request again.
#[must_use]
pub fn copy(request: &Request<Bytes>) -> Request<Bytes> {
    let mut copy = Request::new(request.body().clone());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    copy
}

/// A list with its entries in the opposite order.
fn reversed(body: Bytes) -> Bytes {
    let text = String::from_utf8_lossy(&body);
    let name = if text.contains("<QueueMessage>") { "QueueMessage" } else { "Blob" };
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let (Some(start), Some(end)) = (text.find(&open), text.rfind(&close)) else { return body };
    let end = end + close.len();
    let (Some(head), Some(list), Some(tail)) = (text.get(..start), text.get(start..end), text.get(end..))
    else {
        return body;
    };
    let entries: Vec<&str> = list.split_inclusive(&close).collect();
    let list: String = entries.into_iter().rev().collect();
    format!("{head}{list}{tail}").into()
}

/// A response of a service, or of something in front of it, that could not do its work.
fn refusal(status: u16, op: Op) -> Response<Bytes> {
    let code = match status {
        403 => "AuthorizationFailure",
        409 => "QueueBeingDeleted",
        404 if op == Op::Create => "ResourceNotFound",
        404 => "ContainerNotFound",
        500 => "InternalError",
        503 => "ServerBusy",
        408 => "OperationTimedOut",
        401 => "InvalidAuthenticationInfo",
        _ => "TooManyRequests",
    };
    let mut headers = HeaderMap::new();
    headers.insert("x-ms-error-code", HeaderValue::from_static(code));
    if status == 503 || status == 429 {
        headers.insert("retry-after", HeaderValue::from(ASKED_TO_WAIT.as_secs()));
    }
    let mut response =
        Response::new(Bytes::from(format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code></Error>")));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    *response.headers_mut() = headers;
    response
}

/// A name for the sender, for the timeline.
#[must_use]
pub fn who(source: Source) -> String {
    match source.role {
        Role::Api => format!("api-{:<5}", source.instance),
        Role::Worker => format!("worker-{:<2}", source.instance),
        Role::ExternalWriter => "external ".to_owned(),
    }
}

fn describe(call: &Call, request: &Request<Bytes>) -> String {
    let mut text = format!("{:?}", call.op);
    if let Some(queue) = call.queue {
        text += &format!(" {queue:?}");
    }
    let what = call.message.as_ref().or(call.blob.as_ref());
    if let Some(what) = what {
        text += &format!(" {what}");
    }
    for name in ["if-match", "if-none-match"] {
        if let Some(value) = request.headers().get(name).and_then(|value| value.to_str().ok()) {
            text += &format!(" {name}:{value}");
        }
    }
    let query = request.uri().query().unwrap_or_default();
    if let Some(seconds) = query.split('&').find_map(|pair| pair.strip_prefix("visibilitytimeout=")) {
        text += &format!(" for {seconds}s");
    }
    if call.op == Op::PutStatus
        && let Ok(document) = serde_json::from_slice::<Document>(request.body())
    {
        text += &format!(" {} attempt {}", document.state(), document.attempt);
    }
    text
}

fn outcome(response: &Response<Bytes>) -> String {
    let code =
        response.headers().get("x-ms-error-code").and_then(|code| code.to_str().ok()).unwrap_or_default();
    format!("{} {code}", response.status().as_u16()).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reversed_list_keeps_head_and_tail() {
        let list = "<Blobs><Blob>1</Blob><Blob>2</Blob><Blob>3</Blob></Blobs><NextMarker/>";
        let turned = "<Blobs><Blob>3</Blob><Blob>2</Blob><Blob>1</Blob></Blobs><NextMarker/>";
        assert_eq!(reversed(list.into()), turned);
        assert_eq!(reversed("<QueueMessagesList/>".into()), "<QueueMessagesList/>");
    }
}
