//! Every route of the API with who may call it: the one table that authorisation, OpenAPI and the tests read. A route that
//! is not in it cannot be called.

/// What a key may do. `Admin` may do everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Keys, webhooks, the log of changes.
    Admin,
    /// Enrol photos, change and forget people.
    Enrol,
    /// Upload and query videos, search by photo.
    Query,
    /// See people, sessions and results.
    Read,
}

impl Scope {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Enrol => "enrol",
            Self::Query => "query",
            Self::Read => "read",
        }
    }

    /// The scope of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Admin, Self::Enrol, Self::Query, Self::Read].into_iter().find(|scope| scope.name() == name)
    }
}

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Open,
    /// Whoever has a key.
    AnyKey,
    /// Whoever has a key with this scope.
    Needs(Scope),
}

/// A route.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// The method.
    pub method: &'static str,
    /// The path with `{parameters}`.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
    /// What it does.
    pub summary: &'static str,
    /// The body: a schema's name, `image`, `bytes`, or nothing.
    pub body: &'static str,
    /// The status when all is well.
    pub status: u16,
    /// The answer: a schema's name, `page:NAME` for a page of them, media types separated by commas, or nothing.
    pub answer: &'static str,
    /// Names of query parameters; required ones end in `!`.
    pub query: &'static [&'static str],
    /// Whether a ticket opens it, where it is read.
    pub ticket: bool,
}

const fn route(method: &'static str, path: &'static str, access: Access, summary: &'static str) -> Route {
    Route { method, path, access, summary, body: "", status: 200, answer: "", query: &[], ticket: true }
}

impl Route {
    const fn body(mut self, body: &'static str) -> Self {
        self.body = body;
        self
    }
    const fn gives(mut self, status: u16, answer: &'static str) -> Self {
        (self.status, self.answer) = (status, answer);
        self
    }
    const fn query(mut self, query: &'static [&'static str]) -> Self {
        self.query = query;
        self
    }
    const fn without_ticket(mut self) -> Self {
        self.ticket = false;
        self
    }
}

const PAGE: &[&str] = &["limit", "cursor"];
const ADMIN: Access = Access::Needs(Scope::Admin);
const ENROL: Access = Access::Needs(Scope::Enrol);
const QUERY: Access = Access::Needs(Scope::Query);
const READ: Access = Access::Needs(Scope::Read);

/// The table.
pub const ROUTES: &[Route] = &[
    route("GET", "/healthz", Access::Open, "Whether the process runs").gives(200, "Health"),
    route("GET", "/readyz", Access::Open, "Whether it can serve: database, gallery and files answer").gives(200, "Health"),
    route("GET", "/metrics", Access::Open, "Prometheus metrics").gives(200, "text/plain"),
    route("GET", "/openapi.json", Access::Open, "This description").gives(200, "application/json"),
    route("GET", "/v1/me", Access::AnyKey, "The key that calls").gives(200, "Me"),
    route("POST", "/v1/tickets", Access::AnyKey, "A short-lived `?ticket=` for one path, where headers cannot be set")
        .body("TicketRequest")
        .gives(200, "Ticket"),
    route("GET", "/v1/persons", READ, "People by name").query(&["q", "limit", "cursor"]).gives(200, "page:Person"),
    route("GET", "/v1/persons/{id}", READ, "A person").gives(200, "Person"),
    route("PATCH", "/v1/persons/{id}", ENROL, "Rename a person").body("Rename").gives(200, "Person"),
    route("DELETE", "/v1/persons/{id}", ENROL, "Forget a person: faces, photos, pictures, names and vectors in results")
        .gives(200, "Forgotten"),
    route("POST", "/v1/persons/{id}/merge", ENROL, "Take over the faces of another person").body("Merge").gives(200, "Person"),
    route("GET", "/v1/persons/{id}/photos", READ, "A person's photos").query(PAGE).gives(200, "page:Photo"),
    route("GET", "/v1/persons/{id}/thumbnail", READ, "A picture of the person").gives(200, "image/jpeg"),
    route("GET", "/v1/persons/{id}/export", ADMIN, "All that is kept about a person, with vectors, as JSON lines")
        .gives(200, "application/jsonl")
        .without_ticket(),
    route("POST", "/v1/enrolments", ENROL, "Enrol a photo").query(&["person!", "file"]).body("image").gives(202, "Accepted"),
    route("GET", "/v1/enrolments/{id}", READ, "What became of a photo").gives(200, "Photo"),
    route("DELETE", "/v1/enrolments/{id}", ENROL, "Remove a photo, and the face that it became").gives(204, ""),
    route("GET", "/v1/enrolments/{id}/photo", READ, "The photo itself; not of one that was refused or failed")
        .gives(200, "image/*, application/octet-stream"),
    route("POST", "/v1/search", QUERY, "Who is in a photo").body("image").gives(200, "SearchResult"),
    route("POST", "/v1/uploads", QUERY, "Begin an upload").body("UploadRequest").gives(201, "Upload"),
    route("GET", "/v1/uploads/{id}", QUERY, "How far an upload is").gives(200, "Upload"),
    route("PATCH", "/v1/uploads/{id}", QUERY, "The next bytes of an upload, from header Upload-Offset on")
        .body("bytes")
        .gives(200, "Upload"),
    route("DELETE", "/v1/uploads/{id}", QUERY, "Give up an upload").gives(204, ""),
    route("POST", "/v1/sessions", QUERY, "Look through an uploaded video").body("SessionRequest").gives(202, "Accepted"),
    route("GET", "/v1/sessions", READ, "Sessions, newest first").query(PAGE).gives(200, "page:Session"),
    route("GET", "/v1/sessions/{id}", READ, "A session").gives(200, "Session"),
    route("DELETE", "/v1/sessions/{id}", QUERY, "Remove a session with its video and results").gives(204, ""),
    route("POST", "/v1/sessions/{id}/cancel", QUERY, "Stop looking through the video").gives(200, "Session"),
    route("GET", "/v1/sessions/{id}/tracks", READ, "One result per person per track").query(PAGE).gives(200, "page:Track"),
    route("GET", "/v1/sessions/{id}/tracks/{track}/boxes", READ, "The box in every frame").gives(200, "Boxes"),
    route("GET", "/v1/sessions/{id}/tracks/{track}/shots/{n}", READ, "A best shot").gives(200, "image/jpeg"),
    route("GET", "/v1/sessions/{id}/video", READ, "The video, with ranges").gives(200, "video/*, application/octet-stream"),
    route("GET", "/v1/sessions/{id}/unknown", READ, "Unknown people, grouped by what they look like").gives(200, "Unknown"),
    route("POST", "/v1/sessions/{id}/enrol", ENROL, "Give tracks of a session a name").body("EnrolTracks").gives(200, "EnrolledTracks"),
    route("GET", "/v1/sessions/{id}/events", READ, "Server-sent events: progress, track, state").gives(200, "text/event-stream"),
    route("GET", "/v1/keys", ADMIN, "API keys").query(PAGE).gives(200, "page:Key"),
    route("POST", "/v1/keys", ADMIN, "Make an API key; it is shown once").body("KeyRequest").gives(201, "NewKey"),
    route("DELETE", "/v1/keys/{id}", ADMIN, "Revoke an API key").gives(204, ""),
    route("GET", "/v1/webhooks", ADMIN, "Webhooks").query(PAGE).gives(200, "page:Webhook"),
    route("POST", "/v1/webhooks", ADMIN, "Subscribe an address to events").body("WebhookRequest").gives(201, "Webhook"),
    route("DELETE", "/v1/webhooks/{id}", ADMIN, "Remove a webhook").gives(204, ""),
    route("GET", "/v1/webhooks/{id}/deliveries", ADMIN, "What was sent, newest first")
        .query(&["state", "limit", "cursor"])
        .gives(200, "page:Delivery"),
    route("POST", "/v1/webhooks/{id}/deliveries/{delivery}/retry", ADMIN, "Send again what was given up").gives(200, "Delivery"),
    route("GET", "/v1/events", ADMIN, "The log of changes, newest first").query(PAGE).gives(200, "page:Event"),
];

/// Who may call `method` on the route `path`; `None` for what is not in the table.
pub fn access(method: &str, path: &str) -> Option<Access> {
    // A HEAD is a GET without its body.
    let method = if method == "HEAD" { "GET" } else { method };
    ROUTES.iter().find(|route| route.method == method && route.path == path).map(|route| route.access)
}

/// The access of the route that the concrete `path` leads to with GET, where tickets open it.
pub fn access_of_path(path: &str) -> Option<Access> {
    let fits = |route: &&Route| {
        let (mut want, mut have) = (route.path.split('/'), path.split('/'));
        loop {
            match (want.next(), have.next()) {
                (None, None) => return true,
                (Some(want), Some(have)) if want == have || (want.starts_with('{') && !have.is_empty()) => {}
                _ => return false,
            }
        }
    };
    ROUTES.iter().filter(|route| route.method == "GET" && route.ticket).find(fits).map(|route| route.access)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_looked_up_by_pattern_and_by_path() {
        assert_eq!(access("GET", "/v1/me"), Some(Access::AnyKey));
        assert_eq!(access("HEAD", "/v1/uploads/{id}"), Some(QUERY));
        assert_eq!(access("PUT", "/v1/me"), None);
        assert_eq!(access_of_path("/v1/sessions/ab/video"), Some(READ));
        assert_eq!(access_of_path("/v1/persons/1/export"), None, "vectors are not for addresses that end up in logs");
        assert_eq!(access_of_path("/v1/sessions//video"), None);
        assert_eq!(access_of_path("/v1/sessions/ab/video/.."), None);
    }
}
