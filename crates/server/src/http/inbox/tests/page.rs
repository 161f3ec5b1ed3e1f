//! The page: what stands on it, its forms, and that no text on it becomes markup.

use axum::http::{Method, StatusCode};

use super::TestInbox;

/// What would be an element, an attribute or a script if it stood there as it is.
const PAYLOADS: [&str; 20] = [
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "<svg/onload=alert(1)>",
    "\"><b id=pwned>",
    "'><b id=pwned>",
    "\" onmouseover=\"alert(1)",
    "' autofocus onfocus='alert(1)",
    "</pre><iframe src=javascript:alert(1)>",
    "</p></li></ol></div></main><h1>pwned</h1>",
    "<!-- <b>",
    "--><b id=pwned>",
    "<![CDATA[<b id=pwned>]]>",
    "<style>*{display:none}</style>",
    "<meta http-equiv=refresh content=0;url=//evil.example>",
    "<base href=//evil.example>",
    "<a href=javascript:alert(1)>x</a>",
    "&lt;b id=pwned&gt;<b>",
    "{{7*7}}<b>{%raw%}",
    "\u{202e}<b>\u{0}<x>",
];

/// Where a payload is put: alone, inside words, and after a quote or a tag left open.
const FRAMES: [(&str, &str); 10] = [
    ("", ""),
    ("a ", " b"),
    ("\n", "\n"),
    ("<", ">"),
    ("\"", "\""),
    ("'", "'"),
    ("=", ""),
    ("`", "`"),
    ("&", ";"),
    ("</", ">"),
];

/// The names of all elements in `html`, in order: what a tag could begin with, in whatever case.
fn elements(html: &str) -> Vec<String> {
    let starts = html.split('<').skip(1);
    starts.map(|rest| rest.chars().take_while(|c| !c.is_whitespace() && *c != '>').collect()).collect()
}

/// Percent-encodes everything, as a browser's form would at most.
fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

#[tokio::test]
async fn an_empty_inbox_says_how_to_begin() {
    let app = TestInbox::new();
    for (host, address) in [
        ("127.0.0.1:9999", "http://127.0.0.1:9999/"),
        ("[::1]:80", "http://[::1]:80/"),
        ("localhost", "http://localhost/"),
    ] {
        let answer = app.call(Method::GET, "/inbox", &[("host", host)], "").await;
        assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, "text/html; charset=utf-8"));
        assert!(answer.text.contains("No messages yet"), "{}", answer.text);
        assert!(answer.text.contains(&format!("curl {address}v1/verifications")), "{}", answer.text);
        assert!(answer.text.contains("Authorization: Bearer dev"), "{}", answer.text);
    }
}

#[tokio::test]
async fn a_message_stands_on_the_page_with_all_that_is_known() {
    let app = TestInbox::new();
    app.deliver("+14155552671", 1, "Ваш код: 042137", "billing").await.unwrap();
    app.deliver("+447911123456", 2, "second", "default").await.unwrap();
    let page = app.get("/inbox").await.text;
    for wanted in [
        ">+14155552671</a>",
        "href=\"/inbox?to=%2B14155552671\"",
        ">2023-11-14T22:13:20.123Z</time>",
        ">Ваш код: 042137</p>",
        ">042137</code>",
        "data-copies=\"code-SM01010101010101010101010101010101\"",
        "<dd>billing</dd>",
        "<dd>inbox</dd>",
        "<dd>1 segment, UCS-2</dd>",
        "<dd>1 segment, GSM-7</dd>",
        "<dd>VE07070707070707070707070707070707</dd>",
        "role=\"status\">2 messages</p>",
    ] {
        assert!(page.contains(wanted), "{wanted} is not in {page}");
    }
    assert!(page.find("id=\"SM02").unwrap() < page.find("id=\"SM01").unwrap(), "the newest is first");
    let one = app.get("/inbox?to=+14155552671").await.text;
    assert!(one.contains("id=\"SM01") && !one.contains("id=\"SM02") && one.contains("Show all"), "{one}");
}

#[tokio::test]
async fn the_page_needs_no_script_and_no_stranger() {
    let app = TestInbox::new();
    let page = app.get("/inbox").await.text;
    assert!(page.contains("<noscript><meta http-equiv=\"refresh\" content=\"5\"></noscript>"));
    assert!(!page.contains("://") || page.matches("://").count() == page.matches("curl http://").count(), "{page}");
    assert!(!page.contains(" style=") && !page.contains("<style") && !page.contains(" onclick"), "{page}");
    assert_eq!(page.matches("<script").count(), 1);
    for (name, media_type) in [
        ("inbox.js", "text/javascript; charset=utf-8"),
        ("inbox.css", "text/css; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
    ] {
        assert!(page.contains(&format!("\"/inbox/assets/{name}\"")), "{name}");
        let answer = app.get(&format!("/inbox/assets/{name}")).await;
        assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, media_type));
        assert!(answer.text.len() > 100);
    }
    for name in ["", "none", "..%2Fmod.rs", "inbox.js%00"] {
        assert_eq!(app.get(&format!("/inbox/assets/{name}")).await.status, StatusCode::NOT_FOUND, "{name}");
    }
}

#[tokio::test]
async fn the_fragment_is_sent_only_when_something_changed() {
    let app = TestInbox::new();
    let fragment = app.get("/inbox/fragment").await;
    assert!(fragment.text.starts_with("<div id=\"live\" data-revision=\"0\""), "{}", fragment.text);
    assert_eq!(app.get("/inbox/fragment?seen=0").await.status, StatusCode::NO_CONTENT);
    app.deliver("+14155552671", 1, "hello", "default").await.unwrap();
    let fragment = app.get("/inbox/fragment?seen=0&to=").await;
    assert!(fragment.text.contains(">hello</p>") && fragment.text.contains("data-revision=\"1\""), "{}", fragment.text);
    assert!(app.get("/inbox").await.text.contains(fragment.text.trim()), "the page holds the same rendering");
    assert_eq!(app.get("/inbox/fragment?seen=1").await.status, StatusCode::NO_CONTENT);
    assert!(!app.get("/inbox/fragment?seen=0&to=%2B14155552672").await.text.contains("hello"));
}

#[tokio::test]
async fn the_newest_hundred_are_shown() {
    let app = TestInbox::new();
    for (more, status) in [(99_u8, "99 messages<"), (1, "100 messages<"), (1, "101 messages, the newest 100 shown<")] {
        for delivery in 0..more {
            app.deliver("+14155552671", delivery, "x", "default").await.unwrap();
        }
        let page = app.get("/inbox").await.text;
        assert!(page.contains(status), "{status}");
        assert!(page.matches("class=\"message\"").count() <= 100);
    }
}

#[tokio::test]
async fn forms_do_what_the_json_does() {
    let app = TestInbox::new();
    app.deliver("+14155552671", 1, "x", "default").await.unwrap();
    let answer = app.submit("/inbox/clear", "").await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/inbox"));
    assert_eq!(app.inbox.messages(None).len(), 0);
    app.submit("/inbox/outcomes", "to=%2B14155552671&outcome=rejected&times=2").await;
    app.submit("/inbox/outcomes", "to=%2B14155552672&outcome=lost&times=").await;
    let page = app.get("/inbox").await.text;
    assert!(page.contains("<strong>+14155552671</strong> rejected, the next 2 sends"), "{page}");
    assert!(page.contains("<strong>+14155552672</strong> lost, every send"), "{page}");
    app.submit("/inbox/outcomes/clear", "to=%2B14155552671").await;
    assert_eq!(app.inbox.scripts().len(), 1);
    app.submit("/inbox/outcomes/clear", "").await;
    assert_eq!(app.inbox.scripts().len(), 0);
    app.submit("/inbox/clock", "seconds=600").await;
    assert_eq!(app.clock.offset().as_secs(), 600);
    assert!(app.get("/inbox").await.text.contains("600 seconds ahead of the real time"));
}

#[tokio::test]
async fn a_refused_form_says_why_on_the_page() {
    let app = TestInbox::new();
    for (path, form, status, why) in [
        ("/inbox/outcomes", "to=12&outcome=lost", 422, "to: not a valid phone number"),
        ("/inbox/outcomes", "to=%2B14155552671&outcome=gone", 400, "outcome: unknown outcome"),
        ("/inbox/outcomes", "to=%2B14155552671&outcome=lost&times=x", 400, "times: expected a whole number"),
        ("/inbox/outcomes", "to=%2B14155552671&outcome=lost&times=0", 400, "times: expected 1 to 1000000"),
        ("/inbox/outcomes/clear", "to=12", 422, "to: not a valid phone number"),
        ("/inbox/clock", "seconds=0", 400, "seconds: expected 1 to 31536000"),
        ("/inbox/clock", "", 400, "seconds: expected 1 to 31536000"),
    ] {
        let answer = app.submit(path, form).await;
        assert_eq!(answer.status, status, "{path} {form}");
        assert!(answer.text.contains(&format!("role=\"alert\">{why}")), "{path} {form}: {}", answer.text);
    }
    let answer = app.post("/inbox/clock", r#"{"seconds":1}"#).await;
    assert_eq!((answer.status, app.clock.offset().as_secs()), (StatusCode::UNSUPPORTED_MEDIA_TYPE, 0));
}

#[tokio::test]
async fn no_text_becomes_markup() {
    let app = TestInbox::new();
    app.deliver("+14155552671", 1, "plain", "plain").await.unwrap();
    let plain = (elements(&app.get("/inbox").await.text), elements(&app.get("/inbox/fragment").await.text));
    let refused = elements(&app.submit("/inbox/outcomes", "to=12&outcome=lost").await.text);
    app.inbox.clear();
    for (payload, (before, after)) in PAYLOADS.iter().flat_map(|payload| FRAMES.map(|frame| (payload, frame))) {
        let text = format!("{before}{payload}{after}");
        app.deliver("+14155552671", 1, &text, &text).await.unwrap();
        let shown = (elements(&app.get("/inbox").await.text), elements(&app.get("/inbox/fragment").await.text));
        assert_eq!(shown, plain, "{text:?}");
        assert!(!app.get("/inbox").await.text.contains(payload), "{text:?}: an attribute could begin there");
        let value = encoded(&text);
        app.inbox.clear();
        app.deliver("+14155552671", 1, "plain", "plain").await.unwrap();
        for form in [
            format!("to={value}&outcome=lost&times={value}"),
            format!("to=%2B14155552671&outcome={value}"),
            format!("to={value}&outcome={value}"),
        ] {
            let answer = app.submit("/inbox/outcomes", &form).await;
            assert!(answer.status.is_client_error(), "{form}");
            assert_eq!(elements(&answer.text), refused, "{form}");
        }
        let answer = app.get(&format!("/inbox?to={value}")).await;
        assert_eq!(
            (answer.status, elements(&answer.text)),
            (StatusCode::UNPROCESSABLE_ENTITY, refused.clone()),
            "{text:?}"
        );
        app.inbox.clear();
    }
}
