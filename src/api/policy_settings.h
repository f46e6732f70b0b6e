// Turns the configuration into the settings of each room.
#pragma once

#include "base/result.h"
#include "config/settings.h"
#include "core/bodies_port.h"
#include "core/types.h"
#include "events/event_names.h"
#include "events/registry.h"
#include "sip/settings.h"
#include "store/open.h"
#include "store/write_behind.h"

namespace pua {

// events: to look up the names in max_expires. Errors (bad_config): an event that nobody knows, a cluster (this version
// has none), addresses that do not fit together. contact is what was configured: where it is empty, the listener's is to be
// put in.
Result<EngineSettings> engine_settings(const Settings&, const BodiesPort& events);
// The packages of event_package. table: what the bits stand for in the database; new ones are noted there. Errors (bad_config):
// a name or content type that cannot stand in a header field, a name or bit that is another package's, here or in the table.
Status register_packages(const Settings&, Registry&, EventNames& table);
// Everything that can be said against them without starting. Errors: those of register_packages, engine_settings and
// check_store.
Status check_settings(const Settings&);
StoreSettings store_settings(const Settings&);
WriteBehindPolicy write_policy(const Settings&);
uint32_t sip_max_message(const Settings&);
SipSettings sip_settings(const Settings&);
std::vector<SipCredential> sip_credentials(const Settings&);

}  // namespace pua
