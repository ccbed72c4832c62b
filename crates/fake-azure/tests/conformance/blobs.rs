//! Blob Storage.

use azure::{Blob, Blobs, Condition, ErrorKind, GetOptions, Read, Write};
use bytes::Bytes;

use crate::differences;
use crate::ground::Ground;

async fn put(blobs: &Blobs, name: &str, content: &str) -> String {
    match blobs.put(name, Bytes::from(content.to_owned()), "text/plain", Condition::Always).await.unwrap() {
        Write::Done(etag) => etag,
        Write::Conflict => panic!("a put without a condition"),
    }
}

async fn read(blobs: &Blobs, name: &str) -> Blob {
    match blobs.get(name, GetOptions::default()).await.unwrap() {
        Read::Found(blob) => blob,
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn creating_a_container_twice_is_fine(ground: &Ground) {
    let blobs = ground.container().await;
    put(&blobs, "blob", "content").await;
    blobs.create_container().await.unwrap();
    assert_eq!(read(&blobs, "blob").await.bytes, "content", "creating again changes nothing");
}

pub(crate) async fn blob_is_read_back_as_it_was_put(ground: &Ground) {
    let blobs = ground.container().await;
    let large =
        Bytes::from((0..1_048_577_u32).map(|i| i.to_le_bytes()[(i % 4) as usize]).collect::<Vec<u8>>());
    for content in [Bytes::new(), Bytes::from_static(b"\0\xff\r\n<&>"), large] {
        let stored = blobs
            .put("some/blob", content.clone(), "application/json; charset=utf-8", Condition::Always)
            .await
            .unwrap();
        let blob = read(&blobs, "some/blob").await;
        assert_eq!(Write::Done(blob.etag.clone()), stored);
        assert!(blob.etag.starts_with('"') && blob.etag.ends_with('"'), "{}", blob.etag);
        assert_eq!(blob.content_type, "application/json; charset=utf-8");
        assert_eq!(blob.total_size, content.len() as u64);
        assert!((ground.env.now() - blob.last_modified).abs() < time::Duration::seconds(60));
        assert!(blob.bytes == content, "the content differs");
    }
}

pub(crate) async fn blob_names_may_hold_anything(ground: &Ground) {
    let blobs = ground.container().await;
    let names = [
        "a b+c%2F",
        "deep/er/still",
        "ü/日本/🦀",
        "q?x=1&y#z",
        "it's(1)!*;:@$,=~",
        "A",
        "a",
        ".hidden",
        "<&>\"",
    ];
    for name in names {
        put(&blobs, name, name).await;
    }
    for name in names {
        assert_eq!(read(&blobs, name).await.bytes, name);
    }
    let page = blobs.list("", None, 100).await.unwrap();
    let mut listed: Vec<&str> = page.blobs.iter().map(|blob| blob.name.as_str()).collect();
    listed.sort_unstable();
    let mut expected = names.to_vec();
    expected.sort_unstable();
    assert_eq!(listed, expected);
}

pub(crate) async fn putting_again_replaces_the_blob(ground: &Ground) {
    let blobs = ground.container().await;
    let first = put(&blobs, "blob", "a longer content").await;
    blobs.put("blob", Bytes::from_static(b"short"), "application/json", Condition::Always).await.unwrap();
    let blob = read(&blobs, "blob").await;
    assert_eq!((blob.bytes.as_ref(), blob.content_type.as_str()), (&b"short"[..], "application/json"));
    assert_ne!(blob.etag, first);
}

pub(crate) async fn create_if_absent_creates_once(ground: &Ground) {
    let blobs = ground.container().await;
    let create = |content: &'static str| blobs.put("blob", content.into(), "text/plain", Condition::IfAbsent);
    assert!(matches!(create("first").await.unwrap(), Write::Done(_)));
    assert_eq!(create("second").await.unwrap(), Write::Conflict);
    assert_eq!(read(&blobs, "blob").await.bytes, "first");

    let url = format!("{}/{}/blob?{}", ground.blob_url, blobs.container(), ground.account_sas());
    let headers = [("x-ms-blob-type", "BlockBlob"), ("if-none-match", "*"), ("x-ms-version", "2023-11-03")];
    let response = ground.send("PUT", &url, &headers, "third").await;
    assert_eq!((response.status, response.code.as_str()), (409, "BlobAlreadyExists"));
    assert!(response.body.contains("<Code>BlobAlreadyExists</Code>"), "{}", response.body);
}

pub(crate) async fn conditional_write_succeeds_with_the_current_etag_only(ground: &Ground) {
    let blobs = ground.container().await;
    let first = put(&blobs, "blob", "one").await;
    let write = |content: &'static str, etag: String| {
        let blobs = &blobs;
        async move { blobs.put("blob", content.into(), "text/plain", Condition::IfMatch(&etag)).await.unwrap() }
    };
    let Write::Done(second) = write("two", first.clone()).await else { panic!("the etag is current") };
    assert_ne!(first, second);
    assert_eq!(write("three", first.clone()).await, Write::Conflict);
    assert_eq!(read(&blobs, "blob").await.bytes, "two");
    blobs.delete("blob", Condition::IfMatch(&second)).await.unwrap();
    assert_eq!(write("four", second).await, Write::Conflict, "there is no blob any more");
    assert_eq!(write("five", "*".to_owned()).await, Write::Conflict);
}

pub(crate) async fn conditional_read_tells_whether_the_etag_is_current(ground: &Ground) {
    let blobs = ground.container().await;
    let first = put(&blobs, "blob", "one").await;
    let second = put(&blobs, "blob", "two").await;
    let other_than = |etag: String| {
        let blobs = &blobs;
        async move {
            let options = GetOptions { if_none_match: Some(&etag), ..GetOptions::default() };
            blobs.get("blob", options).await.unwrap()
        }
    };
    assert_eq!(other_than(second.clone()).await, Read::Unchanged);
    assert!(matches!(other_than(first.clone()).await, Read::Found(blob) if blob.bytes == "two"));
    let just = |etag: String| {
        let blobs = &blobs;
        async move {
            let options = GetOptions { if_match: Some(&etag), ..GetOptions::default() };
            blobs.get("blob", options).await.unwrap()
        }
    };
    assert_eq!(just(first).await, Read::Changed);
    assert!(matches!(just(second).await, Read::Found(_)));
}

pub(crate) async fn part_of_a_blob_is_read_by_range(ground: &Ground) {
    let blobs = ground.container().await;
    put(&blobs, "blob", "0123456789").await;
    for (range, expected) in
        [(2..5, "234"), (0..1, "0"), (9..10, "9"), (7..1_000, "789"), (4..u64::MAX, "456789")]
    {
        let options = GetOptions { range: Some(range.clone()), ..GetOptions::default() };
        let Read::Found(blob) = blobs.get("blob", options).await.unwrap() else { panic!("{range:?}") };
        assert_eq!((blob.bytes.as_ref(), blob.total_size), (expected.as_bytes(), 10), "{range:?}");
    }
    let beyond = GetOptions { range: Some(11..12), ..GetOptions::default() };
    let error = blobs.get("blob", beyond).await.unwrap_err();
    let expected = ErrorKind::Refused { status: 416, code: "InvalidRange".to_owned() };
    assert_eq!(error.kind(), &expected);
    let url = format!("{}/{}/blob?{}", ground.blob_url, blobs.container(), ground.account_sas());
    let headers = [("range", "bytes=10-10"), ("x-ms-version", "2023-11-03")];
    let response = ground.send("GET", &url, &headers, "").await;
    differences::RANGE_AT_THE_END.check(ground.kind, &response);
}

pub(crate) async fn properties_are_those_of_the_blob(ground: &Ground) {
    let blobs = ground.container().await;
    assert_eq!(blobs.head("blob").await.unwrap(), None);
    let etag = put(&blobs, "blob", "content").await;
    let properties = blobs.head("blob").await.unwrap().unwrap();
    assert_eq!((properties.etag, properties.size, properties.content_type.as_str()), (etag, 7, "text/plain"));
    assert_eq!(properties.last_modified, read(&blobs, "blob").await.last_modified);
}

pub(crate) async fn deleting_is_final_and_repeatable(ground: &Ground) {
    let blobs = ground.container().await;
    let first = put(&blobs, "blob", "one").await;
    put(&blobs, "blob", "two").await;
    assert_eq!(blobs.delete("blob", Condition::IfMatch(&first)).await.unwrap(), Write::Conflict);
    assert_eq!(read(&blobs, "blob").await.bytes, "two");
    for _ in 0..2 {
        assert_eq!(blobs.delete("blob", Condition::Always).await.unwrap(), Write::Done(()));
        assert_eq!(blobs.get("blob", GetOptions::default()).await.unwrap(), Read::Missing);
    }
}

pub(crate) async fn what_is_missing_is_called_missing(ground: &Ground) {
    let blobs = ground.container().await;
    assert_eq!(blobs.get("blob", GetOptions::default()).await.unwrap(), Read::Missing);
    assert_eq!(blobs.head("blob").await.unwrap(), None);
    assert_eq!(blobs.delete("blob", Condition::Always).await.unwrap(), Write::Done(()));

    // That there is no container says nothing about a blob.
    let blobs = ground.storage.blobs(&ground.name());
    let missing = ErrorKind::NotFound { code: "ContainerNotFound".to_owned() };
    assert_eq!(blobs.get("blob", GetOptions::default()).await.unwrap_err().kind(), &missing);
    assert_eq!(blobs.head("blob").await.unwrap_err().kind(), &missing);
    assert_eq!(blobs.delete("blob", Condition::Always).await.unwrap_err().kind(), &missing);
    let error = blobs.put("blob", Bytes::new(), "text/plain", Condition::IfAbsent).await.unwrap_err();
    assert_eq!(error.kind(), &missing);
    assert_eq!(blobs.list("", None, 10).await.unwrap_err().kind(), &missing);
}

pub(crate) async fn lists_are_sorted_filtered_and_paged(ground: &Ground) {
    let blobs = ground.container().await;
    assert!(blobs.list("", None, 10).await.unwrap().blobs.is_empty());
    for name in ["p/4", "p/1", "q/1", "p/3", "o", "p/2", "p/5"] {
        put(&blobs, name, name).await;
    }
    let mut names = Vec::new();
    let mut marker = None;
    let mut pages = 0;
    loop {
        let page = blobs.list("p/", marker.as_deref(), 2).await.unwrap();
        assert!(page.blobs.len() <= 2);
        names.extend(page.blobs.iter().map(|blob| blob.name.clone()));
        pages += 1;
        marker = page.next;
        if marker.is_none() || pages == 10 {
            break;
        }
    }
    assert_eq!(names, ["p/1", "p/2", "p/3", "p/4", "p/5"]);
    assert_eq!(pages, 3);

    let page = blobs.list("q", None, 5000).await.unwrap();
    let [item] = page.blobs.as_slice() else { panic!("{page:?}") };
    let properties = blobs.head("q/1").await.unwrap().unwrap();
    assert_eq!(
        (&item.etag, item.size, item.last_modified),
        (&properties.etag, 3, properties.last_modified),
        "the list shows what the blob shows"
    );
    assert_eq!(item.note, None);

    let noted = async |note: &str, condition| {
        let content = Bytes::from_static(b"content");
        blobs.put_noted("q/1", content, "text/plain", Some(note), condition).await.unwrap()
    };
    let listed = async || blobs.list("q", None, 5000).await.unwrap().blobs.remove(0).note;
    let Write::Done(etag) = noted("waits 1795000000000", Condition::Always).await else { panic!("refused") };
    assert_eq!(listed().await.as_deref(), Some("waits 1795000000000"));
    noted("runs", Condition::IfMatch(&etag)).await;
    assert_eq!(listed().await.as_deref(), Some("runs"));
    assert_eq!(noted("waits", Condition::IfMatch(&etag)).await, Write::Conflict);
    assert_eq!(listed().await.as_deref(), Some("runs"), "what was not written is not noted either");
    put(&blobs, "q/1", "content").await;
    assert_eq!(listed().await, None, "replaced together with the content");
}

pub(crate) async fn put_without_a_type_is_refused(ground: &Ground) {
    let blobs = ground.container().await;
    let url = format!("{}/{}/blob?{}", ground.blob_url, blobs.container(), ground.account_sas());
    let response = ground.send("PUT", &url, &[("x-ms-version", "2023-11-03")], "content").await;
    differences::NO_BLOB_TYPE.check(ground.kind, &response);
    assert_eq!(blobs.head("blob").await.unwrap(), None);
}

pub(crate) async fn blocks_become_a_blob_in_the_order_of_their_numbers(ground: &Ground) {
    let blobs = ground.container().await;
    for (number, content) in [(1, "second"), (0, "to be replaced"), (0, "first, ")] {
        blobs.put_block("large", number, Bytes::from_static(content.as_bytes())).await.unwrap();
    }
    assert_eq!(blobs.head("large").await.unwrap(), None, "blocks alone are no blob");
    // The second time the blocks are those of the blob.
    for _ in 0..2 {
        blobs.commit_blocks("large", 2, "image/png").await.unwrap();
        let blob = read(&blobs, "large").await;
        assert_eq!((&blob.bytes[..], blob.content_type.as_str()), (&b"first, second"[..], "image/png"));
    }
    let missing = blobs.commit_blocks("large", 3, "image/png").await.unwrap_err();
    assert!(matches!(missing.kind(), ErrorKind::Refused { status: 400, .. }), "{missing}");
    assert_eq!(read(&blobs, "large").await.bytes, "first, second");
    put(&blobs, "large", "whole").await;
    assert_eq!(read(&blobs, "large").await.bytes, "whole");
}
