#include "puactl/print.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "base/base64.h"
#include "puactl/text.h"

namespace puactl {

static const json_t* get(const json_t* object, const char* name) { return json_object_get(object, name); }

// The whole text, even with a NUL in it: an answer may hold any octet.
static std::string_view octets_of(const json_t* text) {
  return json_is_string(text) ? std::string_view(json_string_value(text), json_string_length(text)) : std::string_view();
}

// The document, as it came. Empty: there is none.
static std::string document(const json_t* params) {
  std::string out;
  if (const json_t* coded = get(params, "body_base64")) return pua::from_base64(octets_of(coded), out) ? out : std::string();
  return std::string(octets_of(get(params, "body")));
}

// A value in one cell or line.
static std::string plain(const json_t* value) {
  if (json_is_string(value)) return printable(octets_of(value));
  if (json_is_true(value)) return "yes";
  if (json_is_false(value)) return "no";
  if (value == nullptr || json_is_null(value)) return "-";
  if (json_is_array(value)) {
    std::string text;
    for (size_t i = 0; i < json_array_size(value); i++) text += (i == 0 ? "" : ", ") + plain(json_array_get(value, i));
    return text.empty() ? "none" : text;
  }
  return printable(json_line(value));
}

static int64_t number(const json_t* object, const char* name) { return json_integer_value(get(object, name)); }

static std::string dash(std::string text) { return text.empty() ? "-" : text; }

// Until the wanted end: -1 is for ever.
static std::string wanted(const json_t* record) {
  if (json_is_true(get(record, "removing"))) return "removing";
  int64_t s = number(record, "wanted_in");
  return s < 0 ? "forever" : duration(s);
}

static std::string granted(const json_t* record) {
  int64_t s = number(record, "expires_in");
  return s <= 0 ? "-" : duration(s);
}

static std::string next(const json_t* record) {
  int64_t ms = number(record, "next_in_ms");
  return ms < 0 ? "-" : duration((ms + 999) / 1000);
}

static bool is_subscription(const json_t* record) {
  const char* kind = json_string_value(get(record, "kind"));
  return kind != nullptr && strcmp(kind, "subscription") == 0;
}

static std::string last_status(const json_t* record) {
  int64_t last = number(record, "last_status");
  return last == 0 ? "-" : std::to_string(last);
}

static std::string presentity(const json_t* record) {
  std::string uri = plain(get(record, "presentity_uri"));
  if (const json_t* id = get(record, "pres_id")) uri += " " + plain(id);
  return uri;
}

// One column of a list: how a record's cell is made, and whether narrow lists have it.
struct ListColumn {
  Table::Column column;
  bool narrow;
  std::string (*cell)(const json_t*);
};

static std::string dashed(const json_t* record, const char* name) { return dash(plain(get(record, name))); }

static const std::vector<ListColumn>& columns_of(bool subscriptions) {
  using R = const json_t*;
  static const ListColumn kPresentity = {{"PRESENTITY", false, true}, true, presentity};
  static const ListColumn kEvent = {{"EVENT"}, true, [](R r) { return plain(get(r, "event")); }};
  static const ListColumn kState = {{"STATE"}, true, [](R r) { return plain(get(r, "state")); }};
  static const ListColumn kGranted = {{"GRANTED", true}, false, granted};
  static const ListColumn kWanted = {{"WANTED", true}, false, wanted};
  static const ListColumn kCseq = {{"CSEQ", true}, false, [](R r) { return plain(get(r, "cseq")); }};
  static const ListColumn kLast = {{"LAST", true}, true, last_status};
  static const ListColumn kTries = {{"TRIES", true}, false, [](R r) { return plain(get(r, "attempts")); }};
  static const ListColumn kStored = {{"STORED"}, false, [](R r) { return plain(get(r, "stored")); }};
  static const std::vector<ListColumn> kPublications = {
      kPresentity, kEvent, kState, kGranted, kWanted, {{"NEXT", true}, true, next}, kCseq, kLast, kTries, kStored,
      {{"ETAG", false, true}, true, [](R r) { return dashed(r, "etag"); }}};
  static const std::vector<ListColumn> kSubscriptions = {
      kPresentity, {{"WATCHER", false, true}, true, [](R r) { return plain(get(r, "watcher_uri")); }}, kEvent, kState,
      {{"DIALOG"}, true, [](R r) { return plain(get(r, "dialog")); }},
      {{"NOTIFIED"}, false, [](R r) { return dashed(r, "notify_state"); }},
      kGranted, kWanted, {{"NEXT", true}, false, next}, kCseq, kLast, kTries, kStored};
  return subscriptions ? kSubscriptions : kPublications;
}

static std::string list(const json_t* all, bool subscriptions, const Layout& layout) {
  std::vector<Table::Column> columns;
  std::vector<std::string (*)(const json_t*)> cells;
  for (const ListColumn& c : columns_of(subscriptions)) {
    if (!layout.wide && !c.narrow) continue;
    columns.push_back(c.column);
    cells.push_back(c.cell);
  }
  Table table(std::move(columns));
  bool any = false;
  for (size_t i = 0; i < json_array_size(all); i++) {
    const json_t* r = json_array_get(all, i);
    if (is_subscription(r) != subscriptions) continue;
    any = true;
    std::vector<std::string> row;
    for (auto cell : cells) row.push_back(cell(r));
    table.row(std::move(row));
  }
  return any ? table.text(layout.columns) : "";
}

static const char* still_loading(const json_t* result) {
  return json_is_true(get(result, "loading")) ? "... and what the database still holds: it is being loaded\n" : "";
}

static std::string records(const json_t* result, bool more, const Layout& layout) {
  const json_t* all = get(result, "records");
  std::string text = list(all, false, layout), second = list(all, true, layout);
  if (!text.empty() && !second.empty()) text += '\n';
  text += second;
  if (text.empty()) text = "no records\n";
  if (more) text += "... and more: --limit, --all\n";
  return text + still_loading(result);
}

static std::string details(const json_t* result) {
  std::string text;
  const json_t* all = get(result, "records");
  for (size_t i = 0; i < json_array_size(all); i++) {
    if (i > 0) text += '\n';
    const json_t* r = json_array_get(all, i);
    Table table({{""}, {""}});
    const char* name;
    json_t* value;
    std::string body;
    json_object_foreach(const_cast<json_t*>(r), name, value) {
      std::string key = name;
      if (key == "body" || key == "body_base64") {
        body = printable(document(r), true);
      } else if (key == "expires_in") {
        table.row({"granted", granted(r)});
      } else if (key == "wanted_in") {
        table.row({"wanted", wanted(r)});
      } else if (key == "notify_ago_ms") {
        int64_t ago = json_integer_value(value);
        table.row({"last notify", ago < 0 ? "none in this run" : duration(ago / 1000) + " ago"});
      } else if (key == "next_in_ms") {
        table.row({"next", next(r)});
      } else if (key == "extra_headers") {
        std::string lines = printable(octets_of(value), true);
        while (!lines.empty() && lines.back() == '\n') lines.pop_back();
        std::replace(lines.begin(), lines.end(), '\n', '|');
        table.row({"extra_headers", lines});
      } else {
        table.row({key, dash(plain(value))});
      }
    }
    text += table.text();
    if (!body.empty()) text += "\n" + body + (body.back() == '\n' ? "" : "\n");
  }
  if (json_is_true(get(result, "truncated"))) text += "... and more records than one answer holds\n";
  return text + still_loading(result);
}

static std::string fields(const json_t* result, bool numbers) {
  if (!json_is_object(result)) return plain(result) + "\n";
  Table table({{""}, {"", numbers}});
  const char* name;
  json_t* value;
  json_object_foreach(const_cast<json_t*>(result), name, value) table.row({printable(name), plain(value)});
  return table.text();
}

std::string for_people(Show show, const json_t* result, bool more, const Layout& layout) {
  switch (show) {
    case Show::Records: return records(result, more, layout);
    case Show::Details: return details(result);
    case Show::Counters: return fields(result, true);
    case Show::Names: {
      std::string text;
      for (size_t i = 0; i < json_array_size(result); i++) text += plain(json_array_get(result, i)) + "\n";
      return text;
    }
    case Show::Reply:
    case Show::Fields:
    case Show::Raw: break;
  }
  return fields(result, false);
}

static std::string clock_time(const char* format) {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  struct tm local;
  char text[64], all[80];
  strftime(text, sizeof text, format, localtime_r(&now.tv_sec, &local));
  snprintf(all, sizeof all, "%s.%03ld", text, now.tv_nsec / 1000000);
  return all;
}

std::string notify_text(const json_t* params, bool json, bool octets) {
  if (json) {
    Json all(json_pack("{s:s}", "time", clock_time("%Y-%m-%dT%H:%M:%S").c_str()));
    json_object_update(all.get(), const_cast<json_t*>(params));
    return json_line(all.get()) + "\n";
  }
  std::string text = clock_time("%H:%M:%S") + " " + plain(get(params, "state"));
  if (const json_t* reason = get(params, "reason")) text += " (" + plain(reason) + ")";
  text += "  " + presentity(params) + "  " + plain(get(params, "event"));
  if (const json_t* expires = get(params, "expires")) text += "  expires " + duration(json_integer_value(expires));
  if (const json_t* after = get(params, "retry_after")) text += "  retry after " + plain(after) + " s";
  if (json_is_true(get(params, "gap"))) text += "  changes before it are missing";
  if (const json_t* lost = get(params, "lost")) text += "  messages lost so far: " + plain(lost);
  if (json_is_true(get(params, "truncated"))) text += "  body too large for a message";
  text += '\n';
  if (std::string body = document(params); !body.empty()) {
    text += octets && get(params, "body_base64") ? body : printable(body, true);
    if (text.back() != '\n') text += '\n';
  }
  return text;
}

std::string error_line(const json_t* error) {
  std::string text = std::to_string(json_integer_value(get(error, "code")));
  text += " " + plain(get(error, "message"));
  if (const json_t* data = get(error, "data")) text += " (" + plain(data) + ")";
  return text;
}

}  // namespace puactl
