use bytes::Bytes;
use http::Response;
use proptest::prelude::*;

use super::*;
use crate::moment::parse_iso;
use crate::response::ServiceResponse;
use crate::{ErrorKind, Part};

const DATE: &str = "Fri, 20 Nov 2026 10:00:00 GMT";

fn response(status: u16, headers: &[(&str, &str)], body: &[u8]) -> ServiceResponse {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    let now = parse_iso("2026-11-20T10:00:00Z").unwrap();
    ServiceResponse::new("Test", Part::Blob, response.body(Bytes::copy_from_slice(body)).unwrap(), || now)
}

fn coded(status: u16, code: &str) -> ServiceResponse {
    response(status, &[("x-ms-error-code", code)], b"")
}

#[test]
fn requests_are_the_documented_ones() {
    let line = |call: &crate::call::Call| {
        let query: Vec<_> = call.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let headers: Vec<_> = call.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        format!("{} {} {} [{}]", call.method, call.path, query.join("&"), headers.join(", "))
    };
    assert_eq!(line(&requests::create_container("tasks")), "PUT /tasks restype=container []");
    assert_eq!(
        line(&requests::put("tasks", "a/ü%", Bytes::new(), "text/plain", None, Condition::IfMatch("\"1\""))),
        "PUT /tasks/a/%C3%BC%25  [content-type: text/plain, x-ms-blob-type: BlockBlob, if-match: \"1\"]"
    );
    let noted = requests::put("t", "b", Bytes::new(), "text/plain", Some("runs"), Condition::Always);
    assert_eq!(
        line(&noted),
        "PUT /t/b  [content-type: text/plain, x-ms-blob-type: BlockBlob, x-ms-meta-note: runs]"
    );
    assert_eq!(
        line(&requests::put_block("t", "b", 7, Bytes::new())),
        "PUT /t/b blockid=MDAwMDAwMDA3&comp=block []"
    );
    let list = requests::put_block_list("t", "b", 2, "image/png");
    assert_eq!(
        line(&list),
        "PUT /t/b comp=blocklist [content-type: application/xml, x-ms-blob-content-type: image/png]"
    );
    let blocks = "<Latest>MDAwMDAwMDAw</Latest><Latest>MDAwMDAwMDAx</Latest>";
    assert_eq!(
        list.body,
        format!("<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>{blocks}</BlockList>")
    );
    let range =
        |range| line(&requests::get("t", "b", &GetOptions { range: Some(range), ..GetOptions::default() }));
    assert_eq!(range(0..10), "GET /t/b  [range: bytes=0-9]");
    assert_eq!(range(5..u64::MAX), "GET /t/b  [range: bytes=5-]");
    let conditional = GetOptions { if_none_match: Some("\"1\""), if_match: Some("\"2\""), range: None };
    assert_eq!(
        line(&requests::get("t", "b", &conditional)),
        "GET /t/b  [if-none-match: \"1\", if-match: \"2\"]"
    );
    assert_eq!(line(&requests::delete("t", "b", Condition::Always)), "DELETE /t/b  []");
    assert_eq!(line(&requests::head("t", "b")), "HEAD /t/b  []");
    assert_eq!(
        line(&requests::list("t", "p/", Some("m="), 9999)),
        "GET /t restype=container&comp=list&include=metadata&maxresults=5000&prefix=p/&marker=m= []"
    );
    assert_eq!(
        line(&requests::list("t", "", None, 0)),
        "GET /t restype=container&comp=list&include=metadata&maxresults=1 []"
    );
}

#[test]
fn write_outcome_depends_on_its_condition() {
    let stored = response(201, &[("etag", "\"0x1\"")], b"");
    assert_eq!(responses::put(&stored, Condition::Always), Ok(Write::Done("\"0x1\"".to_owned())));
    let not_met = Ok(Write::Conflict);
    let if_match = Condition::IfMatch("\"0x1\"");
    assert_eq!(responses::put(&coded(409, "BlobAlreadyExists"), Condition::IfAbsent), not_met);
    assert_eq!(responses::put(&coded(412, "ConditionNotMet"), Condition::IfAbsent), not_met);
    assert_eq!(responses::put(&coded(412, "ConditionNotMet"), if_match), not_met);
    assert_eq!(responses::put(&coded(412, ""), if_match), not_met);
    assert_eq!(responses::put(&coded(404, "BlobNotFound"), if_match), not_met);

    let kind = |response: &ServiceResponse, condition| {
        responses::put(response, condition).unwrap_err().kind().clone()
    };
    let code = |code: &str| code.to_owned();
    let leased = ErrorKind::Conflict { code: code("LeaseIdMissing") };
    assert_eq!(kind(&coded(412, "LeaseIdMissing"), if_match), leased);
    let deleting = ErrorKind::Conflict { code: code("ContainerBeingDeleted") };
    assert_eq!(kind(&coded(409, "ContainerBeingDeleted"), Condition::IfAbsent), deleting);
    let missing = ErrorKind::NotFound { code: code("ContainerNotFound") };
    assert_eq!(kind(&coded(404, "ContainerNotFound"), if_match), missing);
    assert!(matches!(kind(&response(201, &[], b""), Condition::Always), ErrorKind::Unexpected(_)));
}

#[test]
fn blob_is_read_whole_or_in_part() {
    let whole = response(
        200,
        &[("etag", "\"1\""), ("last-modified", DATE), ("content-type", "text/plain")],
        b"hello",
    );
    let Ok(Read::Found(blob)) = responses::get(whole) else { panic!("not found") };
    assert_eq!(
        (&blob.bytes[..], blob.total_size, blob.content_type.as_str()),
        (&b"hello"[..], 5, "text/plain")
    );
    let headers = [("etag", "\"1\""), ("last-modified", DATE), ("content-range", "bytes 2-3/5")];
    let Ok(Read::Found(part)) = responses::get(response(206, &headers, b"ll")) else { panic!("not found") };
    assert_eq!((&part.bytes[..], part.total_size, part.etag.as_str()), (&b"ll"[..], 5, "\"1\""));
    assert_eq!(part.content_type, "application/octet-stream");
}

#[test]
fn missing_blob_differs_from_a_404_of_a_proxy() {
    for code in ["BlobNotFound", "ResourceNotFound"] {
        assert_eq!(responses::get(coded(404, code)), Ok(Read::Missing));
        assert_eq!(responses::head(&coded(404, code)), Ok(None));
        assert_eq!(responses::delete(&coded(404, code), Condition::Always), Ok(Write::Done(())));
    }
    let nowhere = || coded(404, "ContainerNotFound");
    let error = ErrorKind::NotFound { code: "ContainerNotFound".to_owned() };
    assert_eq!(responses::get(nowhere()).unwrap_err().kind(), &error);
    assert_eq!(responses::head(&nowhere()).unwrap_err().kind(), &error);
    assert_eq!(responses::delete(&nowhere(), Condition::Always).unwrap_err().kind(), &error);
    assert_eq!(responses::get(coded(304, "ConditionNotMet")), Ok(Read::Unchanged));
    assert_eq!(responses::get(coded(412, "ConditionNotMet")), Ok(Read::Changed));
    assert_eq!(responses::delete(&coded(202, ""), Condition::Always), Ok(Write::Done(())));
    assert_eq!(
        responses::delete(&coded(412, "ConditionNotMet"), Condition::IfMatch("\"1\"")),
        Ok(Write::Conflict)
    );
    let page = || response(404, &[], b"<html>no such page</html>");
    assert!(matches!(responses::get(page()).unwrap_err().kind(), ErrorKind::Unexpected(_)));
    assert!(matches!(responses::head(&page()).unwrap_err().kind(), ErrorKind::Unexpected(_)));
    assert!(matches!(
        responses::delete(&page(), Condition::Always).unwrap_err().kind(),
        ErrorKind::Unexpected(_)
    ));
}

#[test]
fn properties_come_from_headers() {
    let headers =
        [("etag", "\"1\""), ("last-modified", DATE), ("content-length", "77"), ("content-type", "a/b")];
    let properties = responses::head(&response(200, &headers, b"")).unwrap().unwrap();
    assert_eq!((properties.size, properties.content_type.as_str()), (77, "a/b"));
    assert!(responses::head(&response(200, &headers[..2], b"")).is_err());
}

#[test]
fn listing_has_pages_and_quoted_etags() {
    let xml = "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ServiceEndpoint=\"x\" ContainerName=\"c\">\
        <Prefix>p/</Prefix><Marker/><MaxResults>2</MaxResults><Blobs><Blob><Properties><Content-Length>7</Content-Length>\
        <Etag>0x2</Etag><Last-Modified>Fri, 20 Nov 2026 10:00:00 GMT</Last-Modified></Properties><Name>p/&amp;</Name>\
        <Metadata><other>o</other><note>waits 7</note></Metadata></Blob>\
        <BlobPrefix><Name>p/sub/</Name></BlobPrefix></Blobs><NextMarker>a=b</NextMarker></EnumerationResults>";
    let page = responses::list(&response(200, &[], xml.as_bytes())).unwrap();
    assert_eq!(page.next.as_deref(), Some("a=b"));
    assert_eq!(page.blobs.len(), 1);
    assert_eq!(
        (page.blobs[0].name.as_str(), page.blobs[0].etag.as_str(), page.blobs[0].size),
        ("p/&", "\"0x2\"", 7)
    );
    assert_eq!(page.blobs[0].note.as_deref(), Some("waits 7"));
    for last in [
        "<EnumerationResults><Blobs/><NextMarker/></EnumerationResults>",
        "<EnumerationResults><Blobs></Blobs><NextMarker></NextMarker></EnumerationResults>",
        "<EnumerationResults/>",
    ] {
        assert_eq!(responses::list(&response(200, &[], last.as_bytes())), Ok(BlobPage::default()), "{last}");
    }
    let broken = "<EnumerationResults><Blobs><Blob><Name>a</Name></Blob></Blobs></EnumerationResults>";
    assert!(matches!(
        responses::list(&response(200, &[], broken.as_bytes())).unwrap_err().kind(),
        ErrorKind::Unexpected(_)
    ));
}

proptest! {
    #[test]
    fn any_response_is_parsed_or_refused(status in 100u16..600, body in prop::collection::vec(any::<u8>(), 0..300)) {
        let headers = [("etag", "\"1\""), ("last-modified", DATE), ("content-range", "bytes */x")];
        let _ = responses::get(response(status, &headers, &body));
        let _ = responses::list(&response(status, &[], &body));
        let _ = responses::put(&response(status, &headers, &body), Condition::IfAbsent);
        let _ = responses::delete(&response(status, &[], &body), Condition::Always);
        let _ = responses::head(&response(status, &headers, b""));
    }
}
