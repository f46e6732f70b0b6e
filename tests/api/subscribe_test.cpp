// Subscriptions through the C ABI: requests, questions about dialogs, NOTIFYs from the host's socket, handlers.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include "tests/api/rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua::test;

namespace {

constexpr const char* kBob = "sip:bob@example.com";
constexpr const char* kAlice = "sip:alice@example.com";

std::string copy(const pua_str_t& s) { return std::string(s.s ? s.s : "", static_cast<size_t>(s.len)); }

std::string parameter(const std::string& value, const std::string& name) {
  size_t at = value.find(";" + name + "=");
  if (at == std::string::npos) return "";
  at += name.size() + 2;
  return value.substr(at, value.find_first_of(";>", at) - at);
}

// What a handler saw.
struct Notified {
  std::string pres_uri, watcher_uri, call_id, from_tag, to_tag, remote_contact, contact, record_route, to_uri;
  std::string state, reason, content_type, body;
  long expires, retry_after;
  int gap, flag, event, cseq;
  void* cb_param;
  pua_t* pua;
};

struct Handler {
  std::vector<Notified> seen;
  std::function<void(pua_t*)> then;
  static int on_notify(ua_pres_t* p, const pua_notification_t* n, void* self) {
    auto* h = static_cast<Handler*>(self);
    h->seen.push_back({copy(*p->pres_uri), copy(*p->watcher_uri), copy(p->call_id), copy(p->from_tag), copy(p->to_tag),
                       copy(p->remote_contact), copy(p->contact), copy(p->record_route), copy(p->to_uri), copy(n->state),
                       copy(n->reason), copy(n->content_type), copy(n->body), n->expires, n->retry_after, n->gap, p->flag,
                       p->event, p->cseq, p->cb_param, n->pua});
    if (h->then) h->then(n->pua);
    return 0;
  }
};

std::filesystem::path build_dir() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path().parent_path();
}

}  // namespace

TEST_GROUP(ApiSubscribe) {
  Recorder got;  // outlive the instance: its end may call them
  Handler handler;
  Rig rig;
  std::string pres_uri = kBob, watcher = kAlice, contact = "sip:us@127.0.0.1:9";
  pua_str_t uri_, watcher_, contact_;

  void setup() override { rig.server->extra = "Contact: <" + rig.server->uri() + ">\r\n"; }

  subs_info_t subs(int expires = 3600) {
    uri_ = text(pres_uri);
    watcher_ = text(watcher);
    contact_ = text(contact);
    subs_info_t s{};
    s.pres_uri = &uri_;
    s.watcher_uri = &watcher_;
    s.contact = &contact_;
    s.event = PRESENCE_EVENT;
    s.source_flag = RLS_SUBSCRIBE;
    s.expires = expires;
    s.cbrpl = Recorder::on_reply;
    s.cbparam = &got;
    return s;
  }
  void subscribe(int expires = 3600) {
    size_t before = got.answers.size();
    subs_info_t s = subs(expires);
    LONGS_EQUAL_TEXT(0, pua_send_subscribe(rig.pua, &s), rig.error().c_str());
    CHECK(rig.until([&] { return got.answers.size() == before + 1; }));
  }
  // A NOTIFY in the dialog that the last SUBSCRIBE made.
  pua_notify_t notify(const char* state, unsigned cseq, const char* body = nullptr) {
    const SipText& request = rig.server->seen.back();
    call_id = request.header("Call-ID");
    local_tag = parameter(request.header("From"), "tag");
    state_ = state;
    body_ = body ? body : "";
    pua_notify_t n{};
    n.call_id = text(call_id);
    n.to_tag = text(local_tag);
    n.from_tag = {const_cast<char*>("server"), 6};
    n.cseq = cseq;
    n.event = {const_cast<char*>("presence"), 8};
    n.subscription_state = text(state_);
    if (body) {
      n.content_type = {const_cast<char*>("application/pidf+xml"), 20};
      n.body = text(body_);
    }
    return n;
  }
  std::string call_id, local_tag, state_, body_;
  std::string raw_notify(const char* state, unsigned cseq, const std::string& more = "") {
    notify(state, cseq);
    return "NOTIFY " + contact + " SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKn" + std::to_string(cseq) +
           "\r\nMax-Forwards: 70\r\nFrom: <" + pres_uri + ">;tag=server\r\nTo: <" + watcher + ">;tag=" + local_tag +
           "\r\nCall-ID: " + call_id + "\r\nCSeq: " + std::to_string(cseq) + " NOTIFY\r\nEvent: presence\r\n" +
           "Subscription-State: " + state + "\r\nContact: <sip:n2@127.0.0.1:9>\r\n" + more + "Content-Length: 0\r\n\r\n";
  }
  bool handled(size_t count) {
    return rig.until([&] { return handler.seen.size() >= count; });
  }
};

TEST(ApiSubscribe, every_field_goes_where_the_header_says) {
  LONGS_EQUAL(PUA_OK, rig.start());
  subs_info_t s = subs();
  std::string to = "sip:to@example.com", target = "sip:target@127.0.0.1", headers = "X-A: 1\r\n";
  pua_str_t target_ = text(target), headers_ = text(headers);
  s.to_uri = text(to);
  s.remote_target = &target_;
  s.extra_headers = &headers_;
  s.event_id = {const_cast<char*>("7"), 1};
  std::string filter = "<filter/>";
  pua_str_t filter_ = text(filter);
  s.body = &filter_;
  s.content_type = {const_cast<char*>("text/x-f"), 8};
  LONGS_EQUAL(0, pua_send_subscribe(rig.pua, &s));
  CHECK(rig.until([&] { return got.answers.size() == 1; }));
  LONGS_EQUAL(200, got.answers[0].status);
  LONGS_EQUAL(3600, got.answers[0].expires);
  const SipText& sent = rig.server->seen.at(0);
  CHECK_TEXT(sent.text.find("SUBSCRIBE sip:target@127.0.0.1 SIP/2.0\r\n") == 0, sent.text.c_str());
  CHECK(sent.header("From").find("sip:alice@example.com") != std::string::npos);
  CHECK(sent.header("To").find("sip:to@example.com") != std::string::npos);
  CHECK(sent.header("Contact").find("sip:us@127.0.0.1:9") != std::string::npos);
  STRCMP_EQUAL("presence;id=7", sent.header("Event").c_str());
  STRCMP_EQUAL("3600", sent.header("Expires").c_str());
  STRCMP_EQUAL("1", sent.header("X-A").c_str());
  STRCMP_EQUAL("text/x-f", sent.header("Content-Type").c_str());
  CHECK(sent.text.ends_with("\r\n\r\n<filter/>"));
}

TEST(ApiSubscribe, the_structure_of_the_caller_is_not_changed) {
  LONGS_EQUAL(PUA_OK, rig.start({{"min_expires", "600"}}));
  subs_info_t s = subs(-1), before = s;
  LONGS_EQUAL(0, pua_send_subscribe(rig.pua, &s));
  MEMCMP_EQUAL(&before, &s, sizeof s);
}

TEST(ApiSubscribe, what_cannot_be_asked_is_refused_by_name) {
  LONGS_EQUAL(PUA_OK, rig.start());
  auto refused = [&](int code, const char* word, const std::function<void(subs_info_t&)>& change) {
    subs_info_t s = subs();
    change(s);
    LONGS_EQUAL_TEXT(code, pua_send_subscribe(rig.pua, &s), word);
    CHECK_TEXT(rig.error().find(word) != std::string::npos, rig.error().c_str());
  };
  LONGS_EQUAL(PUA_E_BAD_ARGUMENT, pua_send_subscribe(rig.pua, nullptr));
  refused(PUA_E_BAD_ARGUMENT, "pres_uri", [](auto& s) { s.pres_uri = nullptr; });
  refused(PUA_E_BAD_ARGUMENT, "watcher_uri", [](auto& s) { s.watcher_uri = nullptr; });
  refused(PUA_E_BAD_ARGUMENT, "contact", [](auto& s) { s.contact = nullptr; });
  refused(PUA_E_BAD_ARGUMENT, "event_id", [](auto& s) { s.event_id = {nullptr, 3}; });
  refused(PUA_E_BAD_ARGUMENT, "id", [](auto& s) { s.id.len = -1; });
  refused(PUA_E_BAD_ARGUMENT, "source_flag", [](auto& s) { s.source_flag = 3; });
  refused(PUA_E_BAD_ARGUMENT, "event", [](auto& s) { s.event = 0; });
  refused(PUA_E_BAD_ARGUMENT, "flag", [](auto& s) { s.flag = 1; });
  refused(PUA_E_UNKNOWN_EVENT, "event", [](auto& s) { s.event = 1 << 25; });
  refused(PUA_E_BAD_HEADER, "event_id", [](auto& s) { s.event_id = {const_cast<char*>("a b"), 3}; });
  pua_str_t bad{const_cast<char*>("mailto:x"), 8}, empty{};
  refused(PUA_E_BAD_URI, "watcher_uri", [&](auto& s) { s.watcher_uri = &bad; });
  refused(PUA_E_BAD_URI, "pres_uri", [&](auto& s) { s.pres_uri = &empty; });
  refused(PUA_E_BAD_URI, "remote_target", [&](auto& s) { s.remote_target = &bad; });
  refused(PUA_E_BAD_URI, "outbound_proxy", [&](auto& s) { s.outbound_proxy = &bad; });
  rig.settle();
  LONGS_EQUAL(0, rig.server->seen.size());
  LONGS_EQUAL(0, got.answers.size());
}

TEST(ApiSubscribe, the_parameter_contact_stands_for_one_that_is_not_named) {
  LONGS_EQUAL(PUA_OK, rig.start({{"contact", "sip:pua@192.0.2.9:5080"}}));
  subs_info_t s = subs();
  s.contact = nullptr;
  LONGS_EQUAL(0, pua_send_subscribe(rig.pua, &s));
  CHECK(rig.until([&] { return got.answers.size() == 1; }));
  CHECK(rig.server->seen.at(0).header("Contact").find("sip:pua@192.0.2.9:5080") != std::string::npos);
}

TEST(ApiSubscribe, an_existing_subscription_is_left_alone_if_so_asked) {
  LONGS_EQUAL(PUA_OK, rig.start());
  subscribe();
  subs_info_t s = subs();
  s.internal_update_flag = 1;
  LONGS_EQUAL(0, pua_send_subscribe(rig.pua, &s));
  CHECK(rig.until([&] { return got.answers.size() == 2; }));
  LONGS_EQUAL(200, got.answers[1].status);
  LONGS_EQUAL(PUA_ORIGIN_LOCAL, got.answers[1].origin);
  LONGS_EQUAL(1, rig.server->seen.size());
}

TEST(ApiSubscribe, questions_about_dialogs_are_answered_from_the_subscribes_side) {
  LONGS_EQUAL(PUA_OK, rig.start());
  subs_info_t s = subs();
  s.id = {const_cast<char*>("list1.bob"), 9};
  LONGS_EQUAL(0, pua_send_subscribe(rig.pua, &s));
  ua_pres_t q{};
  q.pres_uri = &uri_;
  q.watcher_uri = &watcher_;
  q.event = PRESENCE_EVENT;
  LONGS_EQUAL(1, pua_is_dialog(rig.pua, &q));
  CHECK(rig.until([&] { return got.answers.size() == 1; }));
  LONGS_EQUAL(0, pua_is_dialog(rig.pua, &q));
  notify("active", 1);
  ua_pres_t d{};
  d.call_id = text(call_id);
  d.from_tag = text(local_tag);
  d.to_tag = {const_cast<char*>("server"), 6};
  LONGS_EQUAL(0, pua_is_dialog(rig.pua, &d));
  pua_str_t* id = nullptr;
  LONGS_EQUAL(0, pua_get_record_id(rig.pua, &d, &id));
  STRCMP_EQUAL("list1.bob", copy(*id).c_str());
  pua_str_free(id);
  std::swap(d.from_tag, d.to_tag);
  LONGS_EQUAL(-1, pua_is_dialog(rig.pua, &d));
  LONGS_EQUAL(0, pua_get_record_id(rig.pua, &d, &id));
  POINTERS_EQUAL(nullptr, id);
  ua_pres_t nothing{};
  LONGS_EQUAL(PUA_E_BAD_ARGUMENT, pua_is_dialog(rig.pua, &nothing));
  LONGS_EQUAL(PUA_E_BAD_ARGUMENT, pua_is_dialog(rig.pua, nullptr));
  LONGS_EQUAL(PUA_E_BAD_ARGUMENT, pua_get_record_id(rig.pua, &d, nullptr));
  d.flag = 3;
  LONGS_EQUAL(PUA_E_BAD_ARGUMENT, pua_is_dialog(rig.pua, &d));
}

TEST(ApiSubscribe, before_the_table_is_loaded_a_dialog_is_not_known_rather_than_not_there) {
  pua_config_t* cfg = rig.config({});
  LONGS_EQUAL(PUA_OK, pua_new(&rig.pua, cfg, rig.base, nullptr, nullptr));
  pua_config_free(cfg);
  pua_str_t bob{const_cast<char*>("sip:bob@example.com"), 19};
  ua_pres_t d{};
  d.pres_uri = &bob;
  pua_str_t* id = nullptr;
  LONGS_EQUAL(PUA_E_LOADING, pua_is_dialog(rig.pua, &d));
  LONGS_EQUAL(PUA_E_LOADING, pua_get_record_id(rig.pua, &d, &id));
  POINTERS_EQUAL(nullptr, id);
  POINTERS_EQUAL(nullptr, pua_get_subs_list(rig.pua, &bob));
  CHECK(rig.error().find("loaded") != std::string::npos);
  CHECK(rig.until([&] { return pua_is_dialog(rig.pua, &d) == -1; }));
  LONGS_EQUAL(0, pua_get_record_id(rig.pua, &d, &id));
}

TEST(ApiSubscribe, a_notify_of_dialog_sla_on_the_wire_is_of_the_subscription_to_dialog_sla) {
  LONGS_EQUAL(PUA_OK, rig.start());
  pua_register_notify(rig.pua, RLS_SUBSCRIBE, Handler::on_notify, &handler);
  subs_info_t s = subs();
  s.event = BLA_EVENT;
  LONGS_EQUAL(0, pua_send_subscribe(rig.pua, &s));
  CHECK(rig.until([&] { return got.answers.size() == 1; }));
  STRCMP_EQUAL("dialog;sla", rig.server->seen.back().header("Event").c_str());
  std::string msg = raw_notify("active;expires=600", 1);
  msg.replace(msg.find("Event: presence"), 15, "Event: dialog;sla");
  LONGS_EQUAL_TEXT(200, pua_notify_received(rig.pua, msg.data(), msg.size()), pua_notify_answer_reason(rig.pua));
}

TEST(ApiSubscribe, subscription_state_has_no_case) {
  LONGS_EQUAL(PUA_OK, rig.start());
  pua_register_notify(rig.pua, RLS_SUBSCRIBE, Handler::on_notify, &handler);
  subscribe();
  std::string msg = raw_notify("Terminated;Reason=Rejected", 1);
  LONGS_EQUAL(200, pua_notify_received(rig.pua, msg.data(), msg.size()));
  CHECK(handled(1));
  STRCMP_EQUAL("terminated", handler.seen[0].state.c_str());
  STRCMP_EQUAL("rejected", handler.seen[0].reason.c_str());
  ua_pres_t q{};
  q.pres_uri = &uri_;
  LONGS_EQUAL(-1, pua_is_dialog(rig.pua, &q));
}

TEST(ApiSubscribe, other_parameters_of_event_do_not_matter_in_fields) {
  LONGS_EQUAL(PUA_OK, rig.start());
  subscribe();
  pua_notify_t n = notify("active", 1);
  n.event = {const_cast<char*>("presence;foo=bar"), 16};
  LONGS_EQUAL(200, pua_notify_fields(rig.pua, &n));
}

TEST(ApiSubscribe, a_notify_of_another_package_is_refused) {
  LONGS_EQUAL(PUA_OK, rig.start());
  subscribe();
  std::string msg = raw_notify("active;expires=600", 1);
  msg.replace(msg.find("Event: presence"), 15, "Event: dialog;sla");
  LONGS_EQUAL(481, pua_notify_received(rig.pua, msg.data(), msg.size()));
}

TEST(ApiSubscribe, get_subs_list_gives_copies_of_all_that_begin_so) {
  LONGS_EQUAL(PUA_OK, rig.start());
  for (auto [id, uri] : {std::pair("list1.a", "sip:a@example.com"), {"list1.b", "sip:b@example.com"}, {"list2.c", "sip:c@x.y"}}) {
    pres_uri = uri;
    subs_info_t s = subs();
    s.id = {const_cast<char*>(id), 7};
    LONGS_EQUAL(0, pua_send_subscribe(rig.pua, &s));
  }
  pua_str_t did{const_cast<char*>("list1"), 5};
  list_entry_t* list = pua_get_subs_list(rig.pua, &did);
  std::vector<std::string> found;
  for (list_entry_t* e = list; e; e = e->next) found.push_back(copy(*e->strng));
  pua_list_free(list);
  std::sort(found.begin(), found.end());
  LONGS_EQUAL(2, found.size());
  STRCMP_EQUAL("sip:a@example.com", found[0].c_str());
  STRCMP_EQUAL("sip:b@example.com", found[1].c_str());
  did = {const_cast<char*>("none"), 4};
  POINTERS_EQUAL(nullptr, pua_get_subs_list(rig.pua, &did));
  POINTERS_EQUAL(nullptr, pua_get_subs_list(rig.pua, nullptr));
  CHECK(rig.error().find("did") != std::string::npos);
  pua_str_free(nullptr);
  pua_list_free(nullptr);
}

TEST(ApiSubscribe, a_notify_reaches_its_handler_and_nobody_elses) {
  LONGS_EQUAL(PUA_OK, rig.start());
  Handler other;
  LONGS_EQUAL(1, pua_register_notify(rig.pua, RLS_SUBSCRIBE | MI_SUBSCRIBE, Handler::on_notify, &handler));
  LONGS_EQUAL(1, pua_register_notify(rig.pua, MI_SUBSCRIBE, Handler::on_notify, &other));
  subs_info_t s = subs();
  s.cb_param = &rig;
  LONGS_EQUAL(0, pua_send_subscribe(rig.pua, &s));
  CHECK(rig.until([&] { return got.answers.size() == 1; }));
  pua_notify_t n = notify("Active;expires=600", 1, kDocument);
  n.contact = {const_cast<char*>("\"N\" <sip:n@127.0.0.1:9>;q=1"), 27};
  LONGS_EQUAL(200, pua_notify_fields(rig.pua, &n));
  LONGS_EQUAL_TEXT(0, handler.seen.size(), "called inside the call");
  CHECK(handled(1));
  const Notified& seen = handler.seen[0];
  STRCMP_EQUAL(kBob, seen.pres_uri.c_str());
  STRCMP_EQUAL(kAlice, seen.watcher_uri.c_str());
  STRCMP_EQUAL(call_id.c_str(), seen.call_id.c_str());
  STRCMP_EQUAL(local_tag.c_str(), seen.from_tag.c_str());
  STRCMP_EQUAL("server", seen.to_tag.c_str());
  STRCMP_EQUAL("sip:n@127.0.0.1:9", seen.remote_contact.c_str());
  STRCMP_EQUAL("sip:us@127.0.0.1:9", seen.contact.c_str());
  STRCMP_EQUAL("active", seen.state.c_str());
  LONGS_EQUAL(600, seen.expires);
  LONGS_EQUAL(-1, seen.retry_after);
  STRCMP_EQUAL("application/pidf+xml", seen.content_type.c_str());
  STRCMP_EQUAL(kDocument, seen.body.c_str());
  LONGS_EQUAL(RLS_SUBSCRIBE, seen.flag);
  LONGS_EQUAL(PRESENCE_EVENT, seen.event);
  POINTERS_EQUAL(&rig, seen.cb_param);
  POINTERS_EQUAL(rig.pua, seen.pua);
  LONGS_EQUAL(0, other.seen.size());
}

// Message waiting, as a server tells a line unasked.
TEST(ApiSubscribe, a_notify_of_no_subscription_is_shown_to_who_asked) {
  LONGS_EQUAL(PUA_OK, rig.start());
  const std::string body = "Messages-Waiting: yes\r\n";
  const std::string message =
      "NOTIFY sip:alice@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKmwi\r\nMax-Forwards: 70\r\n"
      "From: <sip:voicemail@example.com>;tag=vm\r\nTo: <sip:alice@example.com>\r\nCall-ID: mwi@example.com\r\nCSeq: 1 NOTIFY\r\n"
      "Event: message-summary\r\nSubscription-State: terminated;reason=timeout\r\nCall-Info: <sip:x>\r\n"
      "Content-Type: application/simple-message-summary\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  LONGS_EQUAL(481, pua_notify_received(rig.pua, message.data(), message.size()));
  std::vector<std::string> seen;
  auto show = [](const pua_unsolicited_t* n, void* to) {
    std::string text = copy(n->to_uri) + "|" + copy(n->from_uri) + "|" + copy(n->event) + "|" + copy(n->event_id) + "|" + copy(n->state) + "|" +
                       copy(n->content_type) + "|" + copy(n->body) + "|" + std::to_string(n->bad_document);
    for (int i = 0; i < n->n_headers; i++)
      if (copy(n->headers[i].name) == "Call-Info") text += "|" + copy(n->headers[i].value);
    static_cast<std::vector<std::string>*>(to)->push_back(text);
    return 0;
  };
  LONGS_EQUAL(1, pua_register_unsolicited(rig.pua, MSGSUM_EVENT, show, &seen));
  LONGS_EQUAL(200, pua_notify_received(rig.pua, message.data(), message.size()));
  LONGS_EQUAL(0, seen.size());
  CHECK(rig.until([&] { return !seen.empty(); }));
  STRCMP_EQUAL("sip:alice@example.com|sip:voicemail@example.com|message-summary||terminated|application/simple-message-summary|"
               "Messages-Waiting: yes\r\n|0|<sip:x>", seen[0].c_str());
  LONGS_EQUAL(PUA_E_BAD_ARGUMENT, pua_register_unsolicited(rig.pua, 0, show, &seen));
  LONGS_EQUAL(PUA_E_BAD_ARGUMENT, pua_register_unsolicited(rig.pua, -1, show, &seen));
  LONGS_EQUAL(PUA_E_BAD_ARGUMENT, pua_register_unsolicited(rig.pua, 1, nullptr, &seen));
}

// Inside the handler, as its README says; each document in turn.
TEST(ApiSubscribe, a_list_is_taken_apart_for_who_asks) {
  LONGS_EQUAL(PUA_OK, rig.start());
  const std::string list =
      "--b\r\nContent-Type: application/rlmi+xml\r\n\r\n"
      "<list xmlns='urn:ietf:params:xml:ns:rlmi' uri='sip:friends@h' version='3' fullState='false'>"
      "<resource uri='sip:bob@h'><name>Bob</name><instance id='i1' state='active' cid='d1'/></resource>"
      "<resource uri='sip:eve@h'><instance id='i2' state='terminated' reason='rejected'/></resource></list>\r\n"
      "--b\r\nContent-Type: application/pidf+xml\r\nContent-ID: <d1>\r\n\r\n<presence/>\r\n--b--\r\n";
  std::string type = "multipart/related;type=\"application/rlmi+xml\";boundary=b", seen;
  auto add = [](const pua_resource_t* r, void* to) {
    *static_cast<std::string*>(to) += copy(r->list_uri) + " " + std::to_string(r->version) + " " + std::to_string(r->full_state) + " " +
                                      copy(r->uri) + " " + copy(r->name) + " " + copy(r->instance) + " " + copy(r->state) + " " +
                                      copy(r->reason) + " " + copy(r->content_type) + " " + copy(r->body) + (r->missing ? " missing" : "") +
                                      (r->skipped ? " " + std::to_string(r->skipped) + " skipped" : "") + "\n";
    return 0;
  };
  pua_str_t type_ = text(type), list_ = text(list);
  LONGS_EQUAL(2, pua_notify_resources(rig.pua, &type_, &list_, add, &seen));
  STRCMP_EQUAL("sip:friends@h 3 0 sip:bob@h Bob i1 active  application/pidf+xml <presence/>\n"
               "sip:friends@h 3 0 sip:eve@h  i2 terminated rejected  \n", seen.c_str());
  seen.clear();
  const std::string rlmi = "application/rlmi+xml";
  const std::string odd = "<list uri='sip:l@h' version='4' fullState='true'><resource/>"
                          "<resource uri='sip:bob@h'><instance id='i1' state='active' cid='d9'/></resource></list>";
  pua_str_t alone = text(rlmi), odd_ = text(odd);
  LONGS_EQUAL(1, pua_notify_resources(rig.pua, &alone, &odd_, add, &seen));
  STRCMP_EQUAL("sip:l@h 4 1 sip:bob@h  i1 active    missing 1 skipped\n", seen.c_str());
  seen.clear();
  pua_str_t half{list_.s, 120};
  LONGS_EQUAL(PUA_E_BAD_BODY, pua_notify_resources(rig.pua, &type_, &half, add, &seen));
  STRCMP_EQUAL("", seen.c_str());
  LONGS_EQUAL(PUA_E_BAD_ARGUMENT, pua_notify_resources(rig.pua, &type_, &list_, nullptr, &seen));
  STRCMP_EQUAL("f is NULL", rig.error().c_str());
}

TEST(ApiSubscribe, handlers_need_a_mask_and_a_function) {
  LONGS_EQUAL(PUA_OK, rig.start());
  LONGS_EQUAL(PUA_E_BAD_ARGUMENT, pua_register_notify(rig.pua, 0, Handler::on_notify, &handler));
  LONGS_EQUAL(PUA_E_BAD_ARGUMENT, pua_register_notify(rig.pua, RLS_SUBSCRIBE, nullptr, &handler));
}

TEST(ApiSubscribe, a_handler_may_free_the_instance) {
  LONGS_EQUAL(PUA_OK, rig.start());
  pua_register_notify(rig.pua, RLS_SUBSCRIBE, Handler::on_notify, &handler);
  subscribe();
  handler.then = [&](pua_t* p) {
    LONGS_EQUAL(PUA_OK, pua_stop(p));
    rig.stop();
  };
  pua_notify_t n = notify("active", 1);
  LONGS_EQUAL(200, pua_notify_fields(rig.pua, &n));
  CHECK(handled(1));
  POINTERS_EQUAL(nullptr, rig.pua);
}

TEST(ApiSubscribe, a_notify_is_taken_as_octets) {
  LONGS_EQUAL(PUA_OK, rig.start());
  pua_register_notify(rig.pua, RLS_SUBSCRIBE, Handler::on_notify, &handler);
  subscribe();
  std::string message = raw_notify("pending;expires=60", 5);
  LONGS_EQUAL(200, pua_notify_received(rig.pua, message.data(), message.size()));
  CHECK(handled(1));
  STRCMP_EQUAL("pending", handler.seen[0].state.c_str());
  STRCMP_EQUAL("sip:n2@127.0.0.1:9", handler.seen[0].remote_contact.c_str());
  LONGS_EQUAL(200, pua_notify_received(rig.pua, message.data(), message.size()));  // repeated
  rig.settle();
  LONGS_EQUAL(1, handler.seen.size());
  LONGS_EQUAL(PUA_E_BAD_ARGUMENT, pua_notify_received(rig.pua, "NOTIFY", 6));
  LONGS_EQUAL(PUA_E_BAD_ARGUMENT, pua_notify_received(rig.pua, nullptr, 6));
}

TEST(ApiSubscribe, an_answer_has_a_reason_and_headers) {
  LONGS_EQUAL(PUA_OK, rig.start());
  subscribe();
  STRCMP_EQUAL("", pua_notify_answer_reason(rig.pua));
  pua_notify_t n = notify("active", 1);
  n.call_id = {const_cast<char*>("x"), 1};
  LONGS_EQUAL(481, pua_notify_fields(rig.pua, &n));
  CHECK(strlen(pua_notify_answer_reason(rig.pua)) > 0);
  n = notify("active", 1);
  n.event = {const_cast<char*>("nonsense"), 8};
  LONGS_EQUAL(489, pua_notify_fields(rig.pua, &n));
  STRCMP_CONTAINS("Allow-Events: ", pua_notify_answer_headers(rig.pua));
  n = notify("active", 1, "hello");
  n.content_type = {const_cast<char*>("text/plain"), 10};
  LONGS_EQUAL(200, pua_notify_fields(rig.pua, &n));   // what it says of the subscription counts
  STRCMP_EQUAL("", pua_notify_answer_headers(rig.pua));
  n = notify("=", 2);
  LONGS_EQUAL(400, pua_notify_fields(rig.pua, &n));
  STRCMP_EQUAL("Bad Subscription-State header field", pua_notify_answer_reason(rig.pua));
  STRCMP_EQUAL("", pua_notify_answer_headers(rig.pua));
  n = notify("active", 1);
  n.event = {const_cast<char*>("pre sence"), 9};
  LONGS_EQUAL(400, pua_notify_fields(rig.pua, &n));
  n = notify("active", 1);
  n.subscription_state = {};
  LONGS_EQUAL(400, pua_notify_fields(rig.pua, &n));
  n.body.len = -1;
  LONGS_EQUAL(PUA_E_BAD_ARGUMENT, pua_notify_fields(rig.pua, &n));
  STRCMP_EQUAL("", pua_notify_answer_reason(rig.pua));
  LONGS_EQUAL(PUA_E_BAD_ARGUMENT, pua_notify_fields(rig.pua, nullptr));
  n = notify("active", 1);
  LONGS_EQUAL(200, pua_notify_fields(rig.pua, &n));
}

TEST(ApiSubscribe, a_target_refresh_moves_the_remote_target) {
  LONGS_EQUAL(PUA_OK, rig.start());
  pua_register_notify(rig.pua, RLS_SUBSCRIBE, Handler::on_notify, &handler);
  subscribe();
  std::string message = raw_notify("active", 1);
  LONGS_EQUAL(1, pua_update_contact(rig.pua, message.data(), message.size()));
  pua_notify_t n = notify("active", 2);
  LONGS_EQUAL(200, pua_notify_fields(rig.pua, &n));
  CHECK(handled(1));
  STRCMP_EQUAL("sip:n2@127.0.0.1:9", handler.seen[0].remote_contact.c_str());
  size_t at = message.find("Call-ID: ");
  message.replace(at + 9, 3, "xyz");
  LONGS_EQUAL(-1, pua_update_contact(rig.pua, message.data(), message.size()));
  LONGS_EQUAL(-1, pua_update_contact(rig.pua, "NOTIFY", 6));
  LONGS_EQUAL(-1, pua_update_contact(rig.pua, nullptr, 6));
}

TEST(ApiSubscribe, observers_see_the_dialog) {
  LONGS_EQUAL(PUA_OK, rig.start());
  static ua_pres_t seen;
  static std::string remote, to_tag, from_tag;
  seen = {};
  LONGS_EQUAL(1, pua_register_puacb(rig.pua, RLS_SUBSCRIBE, [](ua_pres_t* p, pua_reply_t*) {
    seen = *p;
    remote = copy(p->remote_contact);
    to_tag = copy(p->to_tag);
    from_tag = copy(p->from_tag);
    CHECK(p->watcher_uri != nullptr);
    return 0;
  }, nullptr));
  subscribe();
  CHECK(rig.until([&] { return seen.flag != 0; }));
  LONGS_EQUAL(RLS_SUBSCRIBE, seen.flag);
  STRCMP_EQUAL(rig.server->uri().c_str(), remote.c_str());
  STRCMP_EQUAL("server", to_tag.c_str());
  STRCMP_EQUAL(parameter(rig.server->seen.at(0).header("From"), "tag").c_str(), from_tag.c_str());
  LONGS_EQUAL(REQ_OTHER, seen.ua_flag);
  LONGS_EQUAL(0, seen.etag.len);
  LONGS_EQUAL(1, seen.cseq);
}

TEST(ApiSubscribe, xmpps_first_request_is_one_of_its_subscription) {
  LONGS_EQUAL(PUA_OK, rig.start());
  pua_register_notify(rig.pua, XMPP_INITIAL_SUBS, Handler::on_notify, &handler);
  subs_info_t s = subs();
  s.source_flag = XMPP_INITIAL_SUBS;
  LONGS_EQUAL(0, pua_send_subscribe(rig.pua, &s));
  CHECK(rig.until([&] { return got.answers.size() == 1; }));
  s.source_flag = XMPP_SUBSCRIBE;
  LONGS_EQUAL(0, pua_send_subscribe(rig.pua, &s));
  CHECK(rig.until([&] { return got.answers.size() == 2; }));
  LONGS_EQUAL(1, rig.stat("subscriptions"));
  pua_notify_t n = notify("active", 1);
  LONGS_EQUAL(200, pua_notify_fields(rig.pua, &n));
  CHECK(handled(1));
  LONGS_EQUAL(XMPP_SUBSCRIBE, handler.seen[0].flag);
}

TEST(ApiSubscribe, the_example_subscribes_and_ends_with_its_subscription) {
  std::ofstream(rig.dir.path("conf")) << "modparam(\"pua\", \"db_url\", \"memory:\")\n"
                                      << "modparam(\"pua\", \"sip_listen\", \"sip:127.0.0.1:*\")\n"
                                      << "modparam(\"pua\", \"contact\", \"sip:us@127.0.0.1:9\")\n"
                                      << "modparam(\"pua\", \"outbound_proxy\", \"" << rig.server->uri() << "\")\n";
  std::string program = (build_dir() / "examples/watch").string(), conf = rig.dir.path("conf"), out = rig.dir.path("out");
  rig.server->script = {403};
  pid_t child = fork();
  if (child == 0) {
    if (!freopen(out.c_str(), "w", stdout) || !freopen("/dev/null", "w", stderr)) _exit(9);
    execl(program.c_str(), program.c_str(), conf.c_str(), kBob, kAlice, nullptr);
    _exit(9);
  }
  int status = -1;
  CHECK(rig.until([&] { return waitpid(child, &status, WNOHANG) == child; }, 10000));
  CHECK(WIFEXITED(status));
  LONGS_EQUAL(1, WEXITSTATUS(status));
  std::stringstream printed;
  printed << std::ifstream(out).rdbuf();
  STRCMP_EQUAL("subscribed: 403 Scripted\n", printed.str().c_str());
}
