//! HTML pages: for people whose client cannot do a step itself. Each is whole in itself, loads nothing, and cannot be framed.

use std::fmt::Write as _;

use axum::response::{IntoResponse as _, Response};
use banyan_core::Entropy;
pub(crate) use banyan_core::html::escape;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};

/// One look for all pages: a column that fits a phone, in the colours that the person prefers, with buttons that a thumb can hit.
const STYLE: &str = "*{box-sizing:border-box}:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:30rem;margin:2rem auto;padding:0 1rem;\
overflow-wrap:anywhere}h1{font-size:1.5rem;line-height:1.25}h2{font-size:1.1rem;margin:2rem 0 .5rem}\
label{display:block;margin:1rem 0 .25rem}input[type=text],input[type=password],input[type=email]{display:block;width:100%;font:inherit;\
padding:.6rem;min-height:2.75rem;margin:0 0 1rem;border:1px solid GrayText;border-radius:.4rem;background:Field;color:FieldText}\
button,.button{display:inline-block;font:inherit;padding:.6rem 1.2rem;min-height:2.75rem;border:1px solid #175ddc;border-radius:.4rem;\
background:#175ddc;color:#fff;text-decoration:none;cursor:pointer;margin:.75rem .5rem .25rem 0}\
button.quiet,.button.quiet{background:transparent;color:CanvasText;border-color:GrayText}button.danger{background:#b3261e;\
border-color:#b3261e}:focus-visible{outline:3px solid #b45309;outline-offset:2px}.wrong:focus{outline:none}.wrong{color:#c22;font-weight:600}\
.notice{border-left:4px solid #f5a623;padding:.25rem .75rem}\
.note{color:#595959;font-size:.9rem}input[type=checkbox]{width:1.25rem;height:1.25rem;vertical-align:middle;margin:0 .5rem 0 0}\
ul.plain{list-style:none;padding:0}ul.plain>li{border-top:1px solid GrayText;padding:.75rem 0}\
dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem}dd{margin:0}nav{margin:1rem 0}nav a{margin-right:1rem}\
.code{font-size:1.4rem;letter-spacing:.1em;text-transform:uppercase}\
@media (prefers-color-scheme:dark){.wrong{color:#ff8a80}.note{color:#b3b3b3}:focus-visible{outline-color:#f5a623}}";

/// A page. `body` is HTML: what comes from elsewhere goes through [`escape`] first. `script` may only be a constant of ours.
pub(crate) struct Page<'a> {
    pub(crate) status: StatusCode,
    pub(crate) title: &'a str,
    pub(crate) body: String,
    pub(crate) script: Option<&'static str>,
}

impl Page<'_> {
    /// The answer, with the rules that a browser is to hold it to: no scripts, styles or frames but its own, nothing loaded from and no
    /// form sent to anywhere else, no address of it told to anyone, and nothing kept.
    pub(crate) fn answer(self, entropy: &dyn Entropy) -> Response {
        self.respond(entropy, "", None)
    }

    /// The same, with a captcha of the service at `service`, which loads what it wants.
    pub(crate) fn answer_with_captcha(self, entropy: &dyn Entropy, service: &str) -> Response {
        self.respond(entropy, "", Some(service.trim_end_matches('/')))
    }

    /// The same, where a form of the page ends, by a redirect of ours, at `target`: a source of the Content-Security-Policy. Browsers
    /// hold the redirects of a form to the policy too.
    pub(crate) fn answer_with_forms_to(self, entropy: &dyn Entropy, target: &str) -> Response {
        self.respond(entropy, target, None)
    }

    fn respond(self, entropy: &dyn Entropy, target: &str, captcha: Option<&str>) -> Response {
        let nonce = entropy.alphanumeric(24);
        let title = escape(self.title);
        let mut html = format!(
            "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
             content=\"width=device-width,initial-scale=1\"><title>{title}</title><style nonce=\"{nonce}\">{STYLE}</style></head>\
             <body><main><h1>{title}</h1>{}</main>",
            self.body
        );
        if let Some(script) = self.script {
            // Writing to a string cannot fail.
            let _ = write!(html, "<script nonce=\"{nonce}\">{script}</script>");
        }
        if let Some(service) = captcha {
            let _ = write!(html, "<script nonce=\"{nonce}\" src=\"{}/api.js\" async defer></script>", escape(service));
        }
        html.push_str("</body></html>");
        let scripts = match (captcha, self.script) {
            (Some(service), _) => captcha_policy(&nonce, service),
            (None, Some(_)) => format!(" script-src 'nonce-{nonce}'; connect-src 'self';"),
            (None, None) => String::new(),
        };
        let policy = format!(
            "default-src 'none';{scripts} style-src 'nonce-{nonce}'; form-action 'self' {target}; base-uri 'none'; \
             frame-ancestors 'none'"
        );
        let mut response = (self.status, html).into_response();
        let headers = response.headers_mut();
        let fixed: [(HeaderName, &'static str); 5] = [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::CACHE_CONTROL, "no-store"),
            (header::REFERRER_POLICY, "no-referrer"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::X_FRAME_OPTIONS, "DENY"),
        ];
        for (name, value) in fixed {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if let Ok(policy) = HeaderValue::from_str(&policy) {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        response
    }
}

/// The service's script loads others, and frames and pictures from where the service is.
fn captcha_policy(nonce: &str, service: &str) -> String {
    let uri = service.parse::<Uri>().ok();
    let origin = uri.as_ref().and_then(|uri| Some(format!("{}://{}", uri.scheme_str()?, uri.authority()?))).unwrap_or_default();
    let origins = format!("{origin} https://www.gstatic.com");
    format!(" script-src 'nonce-{nonce}' 'strict-dynamic'; connect-src {origins}; frame-src {origins}; img-src {origins};")
}

/// Whether a form was sent by a page of another site: browsers say so.
pub(crate) fn is_cross_site(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").and_then(|site| site.to_str().ok());
    site.is_some_and(|site| !matches!(site, "same-origin" | "none"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_other_sites_are_known() {
        let of = |site: &'static str| HeaderMap::from_iter([("sec-fetch-site".parse().unwrap(), HeaderValue::from_static(site))]);
        assert!(is_cross_site(&of("cross-site")) && is_cross_site(&of("same-site")));
        assert!(!is_cross_site(&of("same-origin")) && !is_cross_site(&HeaderMap::new()));
    }
}
