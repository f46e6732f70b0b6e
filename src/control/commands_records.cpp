// pua_list and pua_show: the records, page by page and in full. Answers are bounded in size and in work a call.
#include <algorithm>
#include <optional>

#include "control/commands.h"
#include "control/errors.h"
#include "control/filters.h"
#include "control/json_writer.h"
#include "control/params.h"
#include "control/sources.h"

namespace pua {

namespace {

constexpr int64_t kDefaultLimit = 100, kMaxLimit = 1000;  // records a page
constexpr uint32_t kChunk = 50;                           // records asked for at a time
constexpr size_t kMaxAnswer = 120 * 1024;                 // octets: fits a datagram with the usual socket buffers
constexpr uint32_t kMaxScan = 2000;                       // records looked at a call, so that no call holds up the loop

}  // namespace

static void write_summary(JsonWriter& w, const RecordView& r) {
  bool subscription = r.kind == Kind::Subscription;
  w.member("id", r.id).member("kind", subscription ? "subscription" : "publication");
  w.member("presentity_uri", r.pres_uri).member("event", r.event_name);
  w.member("source", r.source);
  std::string_view name = source_name(r.source);
  if (!name.empty()) w.member("source_name", name);
  if (!r.pres_id.empty()) w.member("pres_id", r.pres_id);
  w.member("state", r.state);
  if (subscription) {
    w.member("watcher_uri", r.watcher_uri).member("dialog", r.dialog).member("notify_state", r.notify_state);
  } else {
    w.member("etag", r.etag);
  }
  w.member("expires_in", r.expires_in).member("wanted_in", r.wanted_in).member("next_in_ms", r.next_in_ms);
  w.member("cseq", r.cseq).member("attempts", r.attempts).member("last_status", r.last_status);
  w.member("waiters", r.waiters).member("removing", r.removing).member("stored", r.stored);
}

static void write_dialog(JsonWriter& w, const RecordView& r) {
  if (!r.to_uri.empty() && r.to_uri != r.pres_uri) w.member("to_uri", r.to_uri);
  if (!r.event_id.empty()) w.member("event_id", r.event_id);
  w.member("from_tag", r.from_tag).member("to_tag", r.to_tag).member("contact", r.contact);
  w.member("remote_target", r.remote_target).member("route_set", r.route_set);
  w.member("notifies", r.notifies).member("notify_cseq", r.notify_cseq);
  if (r.refused > 0) w.member("notifies_refused", r.refused);
  w.member("notify_ago_ms", r.notify_ago_ms).member("notify_reason", r.notify_reason);
  w.member("content_type", r.notify_content_type).body(r.notify_body);
}

static void write_details(JsonWriter& w, const RecordView& r) {
  w.member("call_id", r.call_id).member("version", r.version);
  if (!r.tuple_id.empty()) w.member("tuple_id", r.tuple_id);
  if (!r.outbound_proxy.empty()) w.member("outbound_proxy", r.outbound_proxy);
  if (!r.extra_headers.empty()) w.member("extra_headers", r.extra_headers);
  if (r.kind == Kind::Subscription) return write_dialog(w, r);
  w.member("content_type", r.content_type).body(r.body);
}

// --- pua_list ------------------------------------------------------------------------------------

enum ListParam : size_t { kListUri, kListEvent, kListState, kListSource, kListCursor, kListLimit, kListKind };

static constexpr ParamSpec kListParams[] = {
    {"uri", "presentity_uri", ParamType::String, true, "this presentity; a trailing * matches any rest"},
    {"event", "event_package", ParamType::String, true, "this event package"},
    {"state", nullptr, ParamType::String, true, "this state: live, sending, backoff ..."},
    {"source", nullptr, ParamType::Scalar, true, "this source, by name (MI_PUBLISH) or bit value"},
    {"cursor", nullptr, ParamType::Long, true, "\"next\" of the page before"},
    {"limit", nullptr, ParamType::Int, true, "records a page, 1 to 1000, default 100"},
    {"kind", nullptr, ParamType::String, true, "publication or subscription; none: both"},
};

static void run_list(ControlContext& context, const Params& p, const CallPtr& call) {
  ListFilter filter;
  filter.pres_uri = p.text(kListUri);
  if (!read_pattern("uri", filter.pres_uri, *call) || !read_event(context, p.text(kListEvent), *call, filter.event) ||
      !read_kind(p, kListKind, *call, filter.kind) || !read_state(p, kListState, filter.kind, *call, filter.state) ||
      !read_source(p, kListSource, *call, filter.source))
    return;
  int64_t limit = p.number(kListLimit, kDefaultLimit);
  if (limit < 1 || limit > kMaxLimit)
    return call->error(rpc::kInvalidParams, "Invalid params: limit: must be 1 to 1000");

  std::string result;
  JsonWriter w(result);
  w.begin_object().key("records").begin_array();
  auto cursor = static_cast<uint64_t>(p.number(kListCursor, 0));
  int64_t shown = 0;
  uint32_t scanned = 0;
  do {
    ListPage page = context.pua.list(filter, cursor, static_cast<uint32_t>(std::min<int64_t>(kChunk, limit - shown)),
                                     [&](const RecordView& r) {
                                       shown++;
                                       w.begin_object();
                                       write_summary(w, r);
                                       w.end_object();
                                     });
    cursor = page.next;
    scanned += page.scanned;
  } while (cursor != 0 && shown < limit && scanned < kMaxScan && result.size() < kMaxAnswer);
  w.end_array().member("next", static_cast<int64_t>(cursor)).member("loading", context.pua.stats().loading != 0).end_object();
  call->result(result);
}

const CommandSpec kPuaList = {
    .name = "pua_list",
    .other_name = "pua.list",
    .params = kListParams,
    .help = "One page of the records that match; go on with \"next\" as cursor until it is 0.",
    .run = run_list,
};

// --- pua_show ------------------------------------------------------------------------------------

enum ShowParam : size_t { kShowUri, kShowEvent, kShowSource, kShowKind };

static constexpr ParamSpec kShowParams[] = {
    {"presentity_uri", "uri", ParamType::String, false, "this presentity"},
    {"event_package", "event", ParamType::String, true, "this event package"},
    {"source", nullptr, ParamType::Scalar, true, "this source, by name (MI_PUBLISH) or bit value"},
    {"kind", nullptr, ParamType::String, true, "publication or subscription; none: both"},
};

static void run_show(ControlContext& context, const Params& p, const CallPtr& call) {
  if (p.text(kShowUri).empty()) return call->error(404, "Empty presentity URI");
  int32_t event = 0, source = 0;
  std::optional<Kind> kind;
  if (!read_event(context, p.text(kShowEvent), *call, event) || !read_source(p, kShowSource, *call, source) ||
      !read_kind(p, kShowKind, *call, kind))
    return;
  std::string result;
  JsonWriter w(result);
  w.begin_object().key("records").begin_array();
  bool truncated = false, any = false;
  Status found = context.pua.show(p.text(kShowUri), event, source, [&](const RecordView& r) {
    if (kind && r.kind != *kind) return;
    any = true;
    if (result.size() > kMaxAnswer) {
      truncated = true;
      return;
    }
    w.begin_object();
    write_summary(w, r);
    write_details(w, r);
    w.end_object();
  });
  if (!found) return answer_error(*call, found.error());
  if (!any) return answer_not_here(context, *call, "No record of that kind");
  w.end_array().member("loading", context.pua.stats().loading != 0);
  if (truncated) w.member("truncated", true);
  w.end_object();
  call->result(result);
}

const CommandSpec kPuaShow = {
    .name = "pua_show",
    .other_name = "pua.show",
    .params = kShowParams,
    .help = "The records of one presentity in full, with body and headers, dialog and last NOTIFY.",
    .run = run_show,
};

}  // namespace pua
