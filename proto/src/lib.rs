//! The generated gRPC clients, servers and storage messages of `proto/banyan`, and how a call travels.

mod redacted;
pub mod status;
pub mod transport;

/// Generated code of one package.
macro_rules! package {
    ($(#[$doc:meta])* $name:ident, $file:literal) => {
        $(#[$doc])*
        #[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
        pub mod $name {
            tonic::include_proto!($file);
        }
    };
}

package!(/** Headers and hints of shard logs. */ log, "banyan.log.v1");
package!(/** Entries and rows of rooms. */ rooms, "banyan.rooms.v1");
package!(/** Commands on rooms. */ roomserver, "banyan.roomserver.v1");
package!(/** What processes tell each other. */ runtime, "banyan.runtime.v1");
package!(/** What changed for a user. */ sync, "banyan.sync.v1");
package!(/** Rows of tenants. */ tenants, "banyan.tenants.v1");
package!(/** Entries and rows of users. */ users, "banyan.users.v1");
package!(/** Commands on users. */ userserver, "banyan.userserver.v1");
