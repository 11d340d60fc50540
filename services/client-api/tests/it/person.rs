//! Somebody in front of a browser without scripts: keeps a cookie, follows nothing by itself, and sends forms as they stand on the page.

use std::collections::BTreeMap;

use http::Method;
use reqwest::redirect::Policy;

use crate::world::World;

pub(crate) struct Person<'a> {
    world: &'a World,
    client: reqwest::Client,
    pub(crate) cookie: Option<String>,
}

/// What a browser was answered.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) status: u16,
    pub(crate) location: Option<String>,
    pub(crate) set_cookie: Option<String>,
    pub(crate) policy: String,
    pub(crate) html: String,
}

/// A form of a page: where it goes, and its hidden fields.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    pub(crate) action: String,
    pub(crate) fields: BTreeMap<String, String>,
}

impl<'a> Person<'a> {
    pub(crate) fn new(world: &'a World) -> Self {
        let client = reqwest::Client::builder().redirect(Policy::none()).build().unwrap();
        Self { world, client, cookie: None }
    }

    pub(crate) async fn open(&mut self, path: &str) -> Shown {
        let request = self.request(Method::GET, path);
        self.send(request).await
    }

    /// Sends a form of a page with what was typed and which button was pressed.
    pub(crate) async fn submit(&mut self, form: &Form, typed: &[(&str, &str)]) -> Shown {
        let mut fields = form.fields.clone();
        fields.extend(typed.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish();
        let request = self.request(Method::POST, &form.action).header("content-type", "application/x-www-form-urlencoded");
        self.send(request.header("sec-fetch-site", "same-origin").body(body)).await
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.client.request(method, format!("http://{}{path}", self.world.address)).header("host", "one.test");
        match &self.cookie {
            Some(cookie) => request.header("cookie", cookie),
            None => request,
        }
    }

    async fn send(&mut self, request: reqwest::RequestBuilder) -> Shown {
        let response = request.send().await.unwrap();
        let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(header("cache-control").as_deref(), Some("no-store"), "nothing of it may be kept");
        assert_eq!(header("referrer-policy").as_deref(), Some("no-referrer"));
        let (location, set_cookie) = (header("location"), header("set-cookie"));
        if let Some(set_cookie) = &set_cookie {
            let (cookie, _) = set_cookie.split_once(';').unwrap();
            self.cookie = Some(cookie.to_owned()).filter(|cookie| !cookie.ends_with('='));
        }
        let (status, policy) = (response.status().as_u16(), header("content-security-policy").unwrap_or_default());
        let html = response.text().await.unwrap();
        if status != 303 {
            assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
            assert!(!policy.contains("script-src") && !html.contains("<script"), "it works without scripts");
            assert!(html.contains("<html lang=\"en\">") && html.contains("<h1>") && html.contains("name=\"viewport\""), "{html}");
        }
        Shown { status, location, set_cookie, policy, html }
    }
}

impl Shown {
    /// The form of an id.
    pub(crate) fn form(&self, id: &str) -> Form {
        let form = self.html.split("<form ").find(|form| attribute(form, "id").as_deref() == Some(id));
        let form = form.unwrap_or_else(|| panic!("no form {id}: {}", self.html));
        let form = form.split("</form>").next().unwrap();
        let hidden = form.split("<input ").skip(1).filter(|input| attribute(input, "type").as_deref() == Some("hidden"));
        let fields = hidden.map(|input| (attribute(input, "name").unwrap(), attribute(input, "value").unwrap())).collect();
        Form { action: attribute(form, "action").unwrap(), fields }
    }

    /// Where it sends the browser.
    #[track_caller]
    pub(crate) fn sent_to(&self) -> &str {
        assert_eq!(self.status, 303, "{}", self.html);
        self.location.as_deref().unwrap()
    }

    /// Every field that somebody types into has a label.
    pub(crate) fn is_labelled(&self) -> bool {
        let inputs = self.html.split("<input ").skip(1);
        let typed = inputs.filter(|input| attribute(input, "type").as_deref() != Some("hidden"));
        typed.map(|input| attribute(input, "id").unwrap()).all(|id| self.html.contains(&format!("for=\"{id}\"")))
    }
}

/// An attribute of the tag that a text begins in.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let tag = tag.split('>').next()?;
    let value = tag.split_once(&format!("{name}=\""))?.1.split('"').next()?;
    Some(value.replace("&quot;", "\"").replace("&#39;", "'").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
}
