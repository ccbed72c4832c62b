//! Signed links, and requests with a wrong credential or none.

use std::time::Duration;

use azure::{Blobs, Condition, ErrorKind, GetOptions, Part, Read, TimeToLive};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use crate::differences;
use crate::ground::Ground;

const LIFETIME: Duration = Duration::from_secs(600);

/// A container with the blobs `one` and `two`, and a link to the first.
async fn linked(ground: &Ground, lifetime: Duration) -> (Blobs, String) {
    let blobs = ground.container().await;
    for name in ["one", "two"] {
        blobs.put(name, Bytes::from(name), "text/plain", Condition::Always).await.unwrap();
    }
    let link = ground.storage.blob_read_sas(blobs.container(), "one", lifetime).await.unwrap();
    (blobs, link)
}

pub(crate) async fn link_reads_its_blob_and_no_other(ground: &Ground) {
    let (_, link) = linked(ground, LIFETIME).await;
    let response = ground.send("GET", &link, &[], "").await;
    assert_eq!((response.status, response.body.as_str()), (200, "one"));
    assert_eq!(response.raw.headers()["content-type"], "text/plain");
    let response = ground.send("HEAD", &link, &[], "").await;
    assert_eq!(response.status, 200);
    assert_eq!(response.raw.headers()["content-length"], "3");
    let response = ground.send("GET", &link.replace("/one?", "/two?"), &[], "").await;
    differences::BAD_LINK.check(ground.kind, &response);
}

pub(crate) async fn link_does_not_write_or_delete(ground: &Ground) {
    let (blobs, link) = linked(ground, LIFETIME).await;
    for method in ["PUT", "DELETE"] {
        let response = ground.send(method, &link, &[("x-ms-blob-type", "BlockBlob")], "").await;
        assert_eq!(
            (response.status, response.code.as_str()),
            (403, "AuthorizationPermissionMismatch"),
            "{method}"
        );
    }
    let Read::Found(blob) = blobs.get("one", GetOptions::default()).await.unwrap() else {
        panic!("it is gone")
    };
    assert_eq!(blob.bytes, "one");
}

pub(crate) async fn changed_link_is_refused(ground: &Ground) {
    let (_, link) = linked(ground, LIFETIME).await;
    for (from, to) in [("sp=r", "sp=rw"), ("sr=b", "sr=c"), ("&se=20", "&se=21"), ("sig=", "sig=AAAA")] {
        let changed = link.replacen(from, to, 1);
        assert_ne!(changed, link, "the link has {from}");
        let response = ground.send("GET", &changed, &[], "").await;
        differences::BAD_LINK.check(ground.kind, &response);
    }
}

pub(crate) async fn link_dies_at_its_expiry(ground: &Ground) {
    let (_, link) = linked(ground, Duration::from_secs(3)).await;
    assert_eq!(ground.send("GET", &link, &[], "").await.status, 200);
    ground.pass(5).await;
    let response = ground.send("GET", &link, &[], "").await;
    differences::BAD_LINK.check(ground.kind, &response);
}

pub(crate) async fn without_credentials_nothing_is_shown(ground: &Ground) {
    let (blobs, _) = linked(ground, LIFETIME).await;
    let address = ground.storage.blob_address(blobs.container(), "one").await.unwrap();
    let response = ground.send("GET", &address, &[("x-ms-version", "2023-11-03")], "").await;
    differences::ANONYMOUS_BLOB.check(ground.kind, &response);
    let (_, name) = ground.queue().await;
    let url = format!("{}/{name}/messages", ground.queue_url);
    let response = ground.send("GET", &url, &[("x-ms-version", "2023-11-03")], "").await;
    differences::ANONYMOUS_QUEUE.check(ground.kind, &response);
}

pub(crate) async fn wrong_key_is_unauthorized(ground: &Ground) {
    let key = STANDARD.encode([7; 64]);
    let storage = ground.storage_with(&format!("AccountKey={key}"));
    let error = storage.blobs(&ground.name()).create_container().await.unwrap_err();
    let of_blobs = matches!(error.kind(), ErrorKind::Unauthorized { part: Part::Blob, status: 403, .. });
    assert!(of_blobs, "{error:?}");
    let error = storage.queue(&ground.name()).create().await.unwrap_err();
    let of_queues = matches!(error.kind(), ErrorKind::Unauthorized { part: Part::Queue, status: 403, .. });
    assert!(of_queues, "{error:?}");
}

pub(crate) async fn account_sas_is_a_credential_too(ground: &Ground) {
    let storage = ground.storage_with(&format!("SharedAccessSignature={}", ground.account_sas()));
    let blobs = storage.blobs(&ground.name());
    blobs.create_container().await.unwrap();
    blobs.put("a blob", Bytes::from_static(b"content"), "text/plain", Condition::IfAbsent).await.unwrap();
    assert!(matches!(blobs.get("a blob", GetOptions::default()).await.unwrap(), Read::Found(_)));
    assert_eq!(blobs.list("a ", None, 5).await.unwrap().blobs.len(), 1);
    let queue = storage.queue(&ground.name());
    queue.create().await.unwrap();
    queue.put("text", Duration::ZERO, TimeToLive::Forever).await.unwrap();
    let message = queue.get(1, LIFETIME).await.unwrap().pop().unwrap();
    queue.delete(&message.message_id, &message.pop_receipt).await.unwrap().unwrap();
    assert_eq!(queue.approximate_count().await.unwrap(), 0);
}
