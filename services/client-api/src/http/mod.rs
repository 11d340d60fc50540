//! HTTP: the tree of files is the tree of URLs. A handler unpacks, calls one use case, and answers.

mod account;
mod admin;
mod auth;
mod auth_metadata;
mod banyan_email;
mod banyan_reports;
mod capabilities;
mod create_room;
mod dehydrated_device;
mod delayed_events;
mod delete_devices;
mod devices;
mod directory;
mod email;
mod events;
mod extract;
mod guard;
mod initial_sync;
mod join;
mod joined_rooms;
mod keys;
mod knock;
mod login;
mod login_fallback;
mod login_sso;
mod logout;
mod msisdn;
mod mutual_rooms;
mod notifications;
mod oauth2;
mod pages;
mod profile;
mod public_rooms;
mod pushers;
mod pushrules;
mod refresh;
mod register;
mod reply;
mod room_keys;
mod room_summary;
mod rooms;
mod send_to_device;
mod sliding_sync;
mod summaries;
mod synapse_register;
mod synapse_reset_password;
mod sync;
mod thirdparty;
mod user;
mod user_directory;
mod users;
mod versions;
mod voip;
mod well_known;

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use axum::{
    Router, middleware,
    routing::{MethodRouter, delete, get, post, put},
};
use banyan_http::{
    Api, Endpoint,
    endpoints::{self, Verb},
    timeout::timeout,
};

use crate::app::App;

/// Endpoints that wait for as long as their clients say.
const WAITING: [&str; 5] = ["sync", "slidingSync", "slidingSyncStable", "getEvents", "peekEvents"];

/// A router with every endpoint of the table that this role serves.
pub(crate) fn routes(app: &App) -> Router {
    let mut paths: BTreeMap<String, MethodRouter> = BTreeMap::new();
    let mut routed = HashSet::new();
    for endpoint in served() {
        let Some(handler) = handler(endpoint) else { continue };
        let handler = guarded(app, endpoint, handler);
        for path in endpoint.paths() {
            // The specification lists `/events` twice, with and without a room.
            if !routed.insert((path.clone(), endpoint.verb)) {
                continue;
            }
            let methods = paths.remove(&path).unwrap_or_default();
            paths.insert(path, methods.merge(handler.clone()));
        }
    }
    paths.into_iter().fold(Router::new(), |router, (path, methods)| router.route(&path, methods))
}

/// The rows of the table that are this role's and served.
pub(crate) fn served() -> impl Iterator<Item = &'static Endpoint> {
    let rows = [Api::Client, Api::Extension].into_iter().flat_map(|api| endpoints::of(api).iter());
    rows.filter(|endpoint| endpoint.served_by.is_some())
}

/// The handler behind the checks that the table's row asks for.
fn guarded(app: &App, endpoint: &'static Endpoint, handler: MethodRouter<App>) -> MethodRouter {
    let guard = guard::Guard { app: app.clone(), endpoint };
    let mut handler = handler;
    if !WAITING.contains(&endpoint.operation) {
        handler = handler.layer(middleware::from_fn_with_state(Duration::from_millis(app.config.request_timeout_ms), timeout));
    }
    handler.layer(middleware::from_fn_with_state(guard, guard::guard)).with_state(app.clone())
}

/// Which function serves which row.
fn handler(endpoint: &Endpoint) -> Option<MethodRouter<App>> {
    match endpoint.verb {
        Verb::Get => get_handler(endpoint.operation),
        Verb::Post => post_handler(endpoint.operation),
        Verb::Put => put_handler(endpoint.operation),
        Verb::Delete => delete_handler(endpoint.operation),
    }
}

fn get_handler(operation: &str) -> Option<MethodRouter<App>> {
    Some(match operation {
        "getWellknown" => get(well_known::client),
        "getWellKnownServer" => get(well_known::server),
        "getWellknownSupport" => get(well_known::support),
        "getAuthMetadata" | "getAuthMetadataUnstable" | "getAuthMetadataWellKnown" => get(auth_metadata::get),
        "showAuthorization" => get(oauth2::authorize::get),
        "showDeviceLink" => get(oauth2::link::get),
        "showAccount" => get(oauth2::account::get),
        "redirectToSSO" => get(login_sso::any),
        "redirectToIdP" => get(login_sso::one),
        "setOutToProvider" => get(oauth2::sso::get),
        "returnFromProvider" => get(oauth2::sso::callback),
        "showContinue" => get(oauth2::continue_to_app::get),
        "showSignIn" => get(oauth2::login::get),
        "showCreateAccount" => get(oauth2::create::get),
        "getVersions" => get(versions::get),
        "getCapabilities" => get(capabilities::get),
        "getLoginFlows" => get(login::flows),
        "loginFallback" => get(login_fallback::get),
        "checkUsernameAvailability" => get(register::available::get),
        "registrationTokenValidity" => get(register::token_validity::get),
        "getWhoIs" => get(admin::whois::get),
        "getAdminLockUser" => get(admin::lock::get),
        "getAdminSuspendUser" => get(admin::suspend::get),
        "authFallback" => get(auth::fallback::get),
        "emailLink" => get(banyan_email::get),
        "getAccount3PIDs" => get(account::threepids::get),
        "getTokenOwner" => get(account::whoami::get),
        "getRoomIdByAlias" => get(directory::room::get),
        "getRoomVisibilityOnDirectory" => get(directory::list::get),
        "getPublicRooms" => get(public_rooms::get),
        "getMutualRooms" | "getMutualRoomsUnstable" => get(mutual_rooms::get),
        "getRoomSummary" => get(room_summary::get),
        "getRoomSummaryUnstable" | "getSummaryUnstable" => get(room_summary::get_unstable),
        "getSpaceHierarchy" => get(rooms::hierarchy::get),
        "getProtocols" => get(thirdparty::protocols),
        "getProtocolMetadata" | "queryLocationByProtocol" | "queryUserByProtocol" => get(thirdparty::of_protocol),
        "queryLocationByAlias" => get(thirdparty::location),
        "queryUserByID" => get(thirdparty::user),
        "getLocalAliases" => get(rooms::aliases::get),
        "getRoomTags" => get(user::tags::get),
        "getNotifications" => get(notifications::get),
        "getJoinedRooms" => get(joined_rooms::get),
        "getUserProfile" => get(profile::get),
        "getProfileField" => get(profile::get_field),
        "getPushers" => get(pushers::all),
        "getPushRules" => get(pushrules::all),
        "getPushRulesGlobal" => get(pushrules::global),
        "getPushRule" => get(pushrules::rule),
        "getPushRuleActions" => get(pushrules::actions),
        "isPushRuleEnabled" => get(pushrules::enabled),
        "getEventContext" => get(rooms::context::get),
        "getEventByTimestamp" => get(rooms::timestamp_to_event::get),
        "getRelatingEvents" => get(rooms::relations::all),
        "getRelatingEventsWithRelType" => get(rooms::relations::of_rel_type),
        "getRelatingEventsWithRelTypeAndEventType" => get(rooms::relations::of_event_type),
        "getThreadRoots" => get(rooms::threads::get),
        "getOneRoomEvent" => get(rooms::event::get),
        "getJoinedMembersByRoom" => get(rooms::joined_members::get),
        "getMembersByRoom" => get(rooms::members::get),
        "getRoomEvents" => get(rooms::messages::get),
        "getRoomState" => get(rooms::state::all),
        "getRoomStateWithKey" => get(rooms::state::get),
        "getRoomKeys" => get(room_keys::keys::all),
        "getRoomKeysByRoomId" => get(room_keys::keys::of_room),
        "getRoomKeyBySessionId" => get(room_keys::keys::of_session),
        "getRoomKeysVersionCurrent" => get(room_keys::version::current),
        "getRoomKeysVersion" => get(room_keys::version::get),
        "getReports" => get(banyan_reports::get),
        "getDehydratedDevice" => get(dehydrated_device::get),
        "getDehydratedEvents" => get(dehydrated_device::events),
        "getDelayedEvents" => get(delayed_events::all),
        "getDelayedEvent" => get(delayed_events::one),
        "getDevices" => get(devices::all),
        "getDevice" => get(devices::get),
        "getKeysChanges" => get(keys::changes::get),
        "sync" => get(sync::get),
        "getEvents" | "peekEvents" => get(events::stream),
        "getOneEvent" => get(events::one),
        "initialSync" => get(initial_sync::get),
        "roomInitialSync" => get(rooms::initial_sync::get),
        "getAccountData" => get(user::account_data::get),
        "getAccountDataPerRoom" => get(user::account_data::get_of_room),
        "getFilter" => get(user::filter::get),
        "getTurnServer" => get(voip::turn_server),
        "getSharedSecretNonce" => get(synapse_register::nonce),
        _ => return None,
    })
}

fn post_handler(operation: &str) -> Option<MethodRouter<App>> {
    Some(match operation {
        "decideAuthorization" => post(oauth2::authorize::post),
        "signIn" => post(oauth2::login::post),
        "signOut" => post(oauth2::logout::post),
        "createAccount" => post(oauth2::create::post),
        "registerOauthClient" => post(oauth2::clients::post),
        "beginDeviceGrant" => post(oauth2::device::post),
        "decideDeviceLink" => post(oauth2::link::post),
        "endAccountDevice" => post(oauth2::account::device::post),
        "changeAccountProfile" => post(oauth2::account::profile::post),
        "changePasswordOnPage" => post(oauth2::account::password::post),
        "confirmOnPage" => post(oauth2::account::confirm::post),
        "deactivateOnPage" => post(oauth2::account::deactivate::post),
        "approveReset" => post(oauth2::account::reset::post),
        "chooseUserName" => post(oauth2::sso::post),
        "continueToApp" => post(oauth2::continue_to_app::post),
        "requestOauthToken" => post(oauth2::token::post),
        "revokeOauthToken" => post(oauth2::revoke::post),
        "login" => post(login::post),
        "submitAuthFallback" => post(auth::fallback::post),
        "refresh" => post(refresh::post),
        "generateLoginToken" => post(login::get_token),
        "deactivateAccount" => post(account::deactivate::post),
        "requestOpenIdToken" => post(user::openid::request_token),
        "changePassword" => post(account::password::post),
        "post3PIDs" => post(account::threepids::post),
        "add3PID" => post(account::threepids::add),
        "bind3PID" => post(account::threepids::bind),
        "unbind3pidFromAccount" => post(account::threepids::unbind),
        "delete3pidFromAccount" => post(account::threepids::delete),
        "confirmEmail" => post(banyan_email::post),
        "logout" => post(logout::one),
        "logout_all" => post(logout::all),
        "register" => post(register::post),
        "requestTokenTo3PIDMSISDN" | "requestTokenToResetPasswordMSISDN" | "requestTokenToRegisterMSISDN" => {
            post(msisdn::request_token)
        }
        "requestTokenTo3PIDEmail" => post(email::to_add),
        "requestTokenToResetPasswordEmail" => post(email::to_reset),
        "requestTokenToRegisterEmail" => post(email::to_register),
        "deleteDevices" => post(delete_devices::post),
        "postPusher" => post(pushers::set),
        "uploadKeys" => post(keys::upload::post),
        "queryKeys" => post(keys::query::post),
        "claimKeys" => post(keys::claim::post),
        "uploadCrossSigningKeys" => post(keys::device_signing::post),
        "uploadCrossSigningSignatures" => post(keys::signatures::post),
        "postRoomKeysVersion" => post(room_keys::version::post),
        "closeReport" => post(banyan_reports::close),
        "reportRoom" => post(rooms::report::room),
        "reportEvent" => post(rooms::report::event),
        "reportUser" => post(users::report::post),
        "queryPublicRooms" => post(public_rooms::post),
        "searchUserDirectory" => post(user_directory::search::post),
        "createRoom" => post(create_room::post),
        "joinRoom" => post(join::post),
        "joinRoomById" => post(rooms::join::post),
        "knockRoom" => post(knock::post),
        "leaveRoom" => post(rooms::leave::post),
        "forgetRoom" => post(rooms::forget::post),
        "setReadMarker" => post(rooms::read_markers::post),
        "postReceipt" => post(rooms::receipt::post),
        "inviteUser" | "inviteBy3PID" => post(rooms::invite::post),
        "upgradeRoom" => post(rooms::upgrade::post),
        "kick" => post(rooms::kick::post),
        "ban" => post(rooms::ban::post),
        "unban" => post(rooms::unban::post),
        "defineFilter" => post(user::filter::post),
        "slidingSync" => post(sliding_sync::post),
        "slidingSyncStable" => post(sliding_sync::post_stable),
        "registerBySharedSecret" => post(synapse_register::post),
        "postDehydratedEvents" => post(dehydrated_device::post_events),
        "updateDelayedEvent" => post(delayed_events::update),
        "cancelDelayedEvent" => post(delayed_events::cancel),
        "restartDelayedEvent" => post(delayed_events::restart),
        "sendDelayedEvent" => post(delayed_events::send),
        "resetPassword" => post(synapse_reset_password::post),
        _ => return None,
    })
}

fn put_handler(operation: &str) -> Option<MethodRouter<App>> {
    Some(match operation {
        "setAdminLockUser" => put(admin::lock::put),
        "setAdminSuspendUser" => put(admin::suspend::put),
        "updateDevice" => put(devices::put),
        "setRoomAlias" => put(directory::room::put),
        "setRoomVisibilityOnDirectory" => put(directory::list::put),
        "updateAppserviceRoomDirectoryVisibility" => put(directory::list::put_appservice),
        "setProfileField" => put(profile::put_field),
        "setPushRule" => put(pushrules::put_rule),
        "setPushRuleActions" => put(pushrules::put_actions),
        "setPushRuleEnabled" => put(pushrules::put_enabled),
        "putRoomKeys" => put(room_keys::keys::put_all),
        "putRoomKeysByRoomId" => put(room_keys::keys::put_of_room),
        "putRoomKeyBySessionId" => put(room_keys::keys::put_of_session),
        "putRoomKeysVersion" => put(room_keys::version::put),
        "redactEvent" => put(rooms::redact::put),
        "sendToDevice" => put(send_to_device::put),
        "putDehydratedDevice" => put(dehydrated_device::put),
        "scheduleEvent" => put(rooms::delayed_event::put),
        "sendMessage" => put(rooms::send::put),
        "setRoomStateWithKey" => put(rooms::state::put),
        "setAccountData" => put(user::account_data::put),
        "setTyping" => put(rooms::typing::put),
        "setRoomTag" => put(user::tags::put),
        "setAccountDataPerRoom" => put(user::account_data::put_of_room),
        _ => return None,
    })
}

fn delete_handler(operation: &str) -> Option<MethodRouter<App>> {
    Some(match operation {
        "deleteDehydratedDevice" => delete(dehydrated_device::delete),
        "deleteDevice" => delete(devices::delete),
        "deleteRoomKeys" => delete(room_keys::keys::delete_all),
        "deleteRoomKeysByRoomId" => delete(room_keys::keys::delete_of_room),
        "deleteRoomKeyBySessionId" => delete(room_keys::keys::delete_of_session),
        "deleteRoomKeysVersion" => delete(room_keys::version::delete),
        "deleteRoomTag" => delete(user::tags::delete),
        "deleteRoomAlias" => delete(directory::room::delete),
        "deleteProfileField" => delete(profile::delete_field),
        "deletePushRule" => delete(pushrules::delete_rule),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_row_that_says_it_is_served_has_a_handler_and_its_file() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http");
        for api in [Api::Client, Api::Extension] {
            for endpoint in endpoints::of(api) {
                let has_handler = handler(endpoint).is_some();
                assert_eq!(has_handler, endpoint.served_by.is_some(), "{:?} {}", endpoint.verb, endpoint.path);
                if let Some(file) = endpoint.served_by {
                    assert!(folder.join(file).is_file(), "{file} is not there");
                }
            }
        }
    }
}
