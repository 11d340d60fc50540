//! APIs that other programs serve, and that this server calls or is called by: application services, identity servers, push gateways.

use super::{Endpoint, get, post, put};

/// What application services answer.
pub(super) const APPLICATION_SERVICE: &[Endpoint] = &[
    post("/_matrix/app/v1/ping", "ping").other(),
    get("/_matrix/app/v1/rooms/{roomAlias}", "queryRoomByAlias").other(),
    get("/_matrix/app/v1/thirdparty/location", "queryLocationByAlias").other(),
    get("/_matrix/app/v1/thirdparty/location/{protocol}", "queryLocationByProtocol").other(),
    get("/_matrix/app/v1/thirdparty/protocol/{protocol}", "getProtocolMetadata").other(),
    get("/_matrix/app/v1/thirdparty/user", "queryUserByID").other(),
    get("/_matrix/app/v1/thirdparty/user/{protocol}", "queryUserByProtocol").other(),
    put("/_matrix/app/v1/transactions/{txnId}", "sendTransaction").other(),
    get("/_matrix/app/v1/users/{userId}", "queryUserById").other(),
];

/// What identity servers answer.
pub(super) const IDENTITY: &[Endpoint] = &[
    get("/_matrix/identity/v2", "pingV2").public(),
    post("/_matrix/identity/v2/3pid/bind", "bindV2").other(),
    get("/_matrix/identity/v2/3pid/getValidated3pid", "getValidated3pidV2").other(),
    post("/_matrix/identity/v2/3pid/unbind", "unbindV2").other(),
    get("/_matrix/identity/v2/account", "getAccount").other(),
    post("/_matrix/identity/v2/account/logout", "logout").other(),
    post("/_matrix/identity/v2/account/register", "registerAccount").public(),
    get("/_matrix/identity/v2/hash_details", "getHashDetails").other(),
    post("/_matrix/identity/v2/lookup", "lookupUsersV2").other(),
    get("/_matrix/identity/v2/pubkey/ephemeral/isvalid", "isEphemeralPubKeyValidV2").public(),
    get("/_matrix/identity/v2/pubkey/isvalid", "isPubKeyValidV2").public(),
    get("/_matrix/identity/v2/pubkey/{keyId}", "getPubKeyV2").public(),
    post("/_matrix/identity/v2/sign-ed25519", "blindlySignStuffV2").other(),
    post("/_matrix/identity/v2/store-invite", "storeInviteV2").other(),
    get("/_matrix/identity/v2/terms", "getTerms").public(),
    post("/_matrix/identity/v2/terms", "agreeToTerms").other(),
    post("/_matrix/identity/v2/validate/email/requestToken", "emailRequestTokenV2").other(),
    get("/_matrix/identity/v2/validate/email/submitToken", "emailSubmitTokenGetV2").other(),
    post("/_matrix/identity/v2/validate/email/submitToken", "emailSubmitTokenPostV2").other(),
    post("/_matrix/identity/v2/validate/msisdn/requestToken", "msisdnRequestTokenV2").other(),
    get("/_matrix/identity/v2/validate/msisdn/submitToken", "msisdnSubmitTokenGetV2").other(),
    post("/_matrix/identity/v2/validate/msisdn/submitToken", "msisdnSubmitTokenPostV2").other(),
    get("/_matrix/identity/versions", "getVersions").public(),
];

/// What push gateways answer.
pub(super) const PUSH_GATEWAY: &[Endpoint] = &[post("/_matrix/push/v1/notify", "notify").public()];
