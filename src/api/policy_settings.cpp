#include "api/policy_settings.h"

#include "config/addresses.h"
#include "config/checks.h"
#include "core/validate.h"

namespace pua {

namespace {

// "sip:127.0.0.1:5070;transport=tcp" -> "127.0.0.1". IPv6 keeps its brackets.
std::string_view host_of(std::string_view uri) {
  if (size_t colon = uri.find(':'); colon != std::string_view::npos) uri.remove_prefix(colon + 1);
  if (!uri.empty() && uri[0] == '[') return uri.substr(0, uri.find(']') + 1);
  return uri.substr(0, uri.find_first_of(":;?"));
}

// File descriptors that connections from outside must leave free: for connections to servers and databases, lookups, files and
// control clients.
constexpr uint32_t kReservedFiles = 128, kReservedForHttp = 64;

}  // namespace

Result<EngineSettings> engine_settings(const Settings& given, const BodiesPort& events) {
  // A file was checked when it was read; parameters that were set one by one are not before they are all here.
  Settings s = given;
  if (auto misfit = fit_lifetimes(s, true, s.default_expires != Settings{}.default_expires))
    return {Errc::bad_config, misfit->what};
  if (auto misfit = fit_addresses(s)) return {Errc::bad_config, misfit->what};
  if (auto misfit = fit_passwords(s)) return {Errc::bad_config, misfit->what};
  if (s.cluster_id != 0) return {Errc::bad_config, "parameter \"cluster_id\": clustering is not in this version"};
  for (auto [name, uri] : {std::pair{"outbound_proxy", &s.outbound_proxy}, {"contact", &s.contact},
                           {"presence_server", &s.presence_server}})
    if (auto st = check_uri("parameter \"" + std::string(name) + "\"", *uri); !uri->empty() && !st)
      return {Errc::bad_config, st.error().message};
  EngineSettings e;
  e.hash_size = static_cast<uint32_t>(s.hash_size);
  e.min_expires = static_cast<uint32_t>(s.min_expires);
  Result<MaxExpires> max = parse_max_expires(s.max_expires);
  if (!max) return max.error();
  e.max_expires = max->all;
  for (const auto& [name, bound] : max->by_event) {
    const EventInfo* event = events.by_name(name);
    if (!event) return {Errc::bad_config, "parameter \"max_expires\" names the unknown event \"" + name + "\""};
    e.max_expires_by_event.emplace_back(event->flag, bound);
  }
  e.default_expires = static_cast<uint32_t>(s.default_expires);
  e.max_records = static_cast<uint32_t>(s.max_records);
  e.max_waiters = static_cast<uint32_t>(s.max_waiters);
  e.max_body = static_cast<uint32_t>(s.max_body);
  e.max_notify_body = static_cast<uint32_t>(s.max_notify_body);
  e.bad_documents = s.notify_bad_documents;
  e.notify_keep = static_cast<uint32_t>(s.notify_keep);
  e.max_headers = static_cast<uint32_t>(s.max_headers);
  e.max_backlog = static_cast<uint32_t>(s.max_backlog);
  e.max_in_flight = static_cast<uint32_t>(s.max_in_flight);
  e.ack_wait_ms = static_cast<uint32_t>(s.ack_wait);
  e.t1_ms = static_cast<uint32_t>(s.sip_t1);
  e.outbound_proxy = s.outbound_proxy;
  e.presence_server = s.presence_server;
  e.contact = s.contact;
  e.sharing_tag = s.cluster_sharing_tag;
  if (!s.sip_listen.empty()) e.host = host_of(s.sip_listen.front());
  return e;
}

Status register_packages(const Settings& s, Registry& events, EventNames& table) {
  auto bad = [](const std::string& what) { return Status(Errc::bad_config, "parameter \"event_package\": " + what); };
  for (const std::string& text : s.event_packages) {
    Result<EventPackage> p = parse_event_package(text);
    if (!p) return bad(p.error().message);
    const EventInfo* known = events.by_name(p->name);
    if (known && known->flag != p->flag)
      return bad("\"" + p->name + "\" is there already, with the bit " + std::to_string(known->flag));
    if (known && !p->content_type.empty() && p->content_type != known->content_type) {
      std::string type(known->content_type);
      return bad("\"" + p->name + "\" is there already, with " +
                 (type.empty() ? "no content type" : "the content type " + type));
    }
    if (known) continue;
    if (Status added = events.add(p->flag, p->name, p->content_type); !added)
      return bad("\"" + text + "\": " + added.error().message);
    if (Status fits = table.fits(p->flag, p->name); !fits) return bad(fits.error().message);
    table.note(p->flag, p->name);
  }
  return success();
}

Status check_settings(const Settings& s) {
  Registry events;
  EventNames unknown;   // the table is not looked at
  if (Status packages = register_packages(s, events, unknown); !packages) return packages;
  if (auto fit = engine_settings(s, events); !fit) return fit.error();
  return check_store(store_settings(s));
}

StoreSettings store_settings(const Settings& s) {
  StoreSettings out;
  out.db_url = s.db_url;
  out.db_table = s.db_table;
  out.synchronous_full = s.sqlite_synchronous == "full";
  out.cache_mb = static_cast<uint32_t>(s.sqlite_cache_mb);
  out.journal_lines = static_cast<uint32_t>(s.sqlite_journal_lines);
  out.wait_at_start = s.db_start == "wait";
  out.timeout_ms = s.db_timeout;
  out.socket = s.db_socket;
  out.tls = s.db_tls != "off";
  out.tls_verify = s.db_tls == "verify";
  out.tls_ca = s.db_tls_ca;
  out.clear_password = s.db_clear_password;
  return out;
}

WriteBehindPolicy write_policy(const Settings& s) {
  WriteBehindPolicy p;
  p.retry_max_ms = static_cast<uint32_t>(s.update_period * 1000);
  // Rows that come in while a group is being committed make up the next group; waiting longer would only cost time.
  p.group_ms = 0;
  return p;
}

std::vector<SipCredential> sip_credentials(const Settings& s) {
  std::vector<SipCredential> out;
  for (const Credential& c : s.credentials) out.push_back({c.realm, c.user, c.password});
  return out;
}

uint32_t sip_max_message(const Settings& s) { return static_cast<uint32_t>(s.max_notify_body) + kMessageHead; }

SipSettings sip_settings(const Settings& s) {
  SipSettings out;
  out.listen = s.sip_listen;
  out.notify_listen = s.listen;
  out.lane = s.sip_lane;
  out.user_agent = s.user_agent;
  out.tls_dir = s.tls_dir;
  out.tls_verify = s.tls_verify;
  out.credentials = sip_credentials(s);
  out.t1_ms = static_cast<uint32_t>(s.sip_t1);
  out.max_message = sip_max_message(s);
  out.max_connections = static_cast<uint32_t>(s.max_connections);
  out.max_connections_per_address = static_cast<uint32_t>(s.max_connections_per_address);
  out.tcp_silence_ms = static_cast<uint32_t>(s.tcp_silence * 1000);
  out.tcp_idle_ms = static_cast<uint32_t>(s.tcp_idle * 1000);
  out.descriptor_reserve = kReservedFiles + (s.http_listen.empty() ? 0 : kReservedForHttp);
  return out;
}

}  // namespace pua
