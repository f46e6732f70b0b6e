// register_puacb: who is called for what, and what it is shown.
#include <string>
#include <vector>

#include "tests/api/rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua::test;

namespace {

struct Seen {
  std::string uri, id, etag;
  int event, flag, ua_flag, status;
  void *cb_param, *param;
  unsigned expires, desired;
  bool by_timer;
};

struct Observer {
  std::vector<Seen> seen;
  std::function<void()> then;
  static int on_record(ua_pres_t* p, pua_reply_t* r) {
    Observer* o = static_cast<Observer*>(pua_reply_param(r));
    auto str_of = [](const pua_str_t& s) { return std::string(s.s ? s.s : "", static_cast<size_t>(s.len)); };
    o->seen.push_back({str_of(*p->pres_uri), str_of(p->id), str_of(p->etag), p->event, p->flag, p->ua_flag,
                       pua_reply_status(r), p->cb_param, pua_reply_param(r), p->expires, p->desired_expires,
                       pua_reply_by_timer(r) == 1});
    if (o->then) o->then();
    return 0;
  }
};

}  // namespace

TEST_GROUP(ApiObserver) {
  Recorder got;  // outlive the instance: its end may call them
  Observer observer;
  Rig rig;

  int send(int source, int event, void* cb_param, const char* content_type = "", int expires = 3600) {
    std::string address = "sip:alice@example.com", document = kDocument, type = content_type;
    pua_str_t uri = text(address), body = text(document);
    publ_info_t p{};
    p.id = {const_cast<char*>("desk"), 4};
    p.pres_uri = &uri;
    p.body = &body;
    p.content_type = text(type);
    p.event = event;
    p.source_flag = source;
    p.expires = expires;
    p.cb_param = cb_param;
    p.cbrpl = Recorder::on_reply;
    p.cbparam = &got;
    return rig.send(p);
  }
};

TEST(ApiObserver, a_mask_picks_the_sources_and_the_snapshot_is_complete) {
  LONGS_EQUAL(PUA_OK, rig.start());
  LONGS_EQUAL(1, pua_register_puacb(rig.pua, UL_PUBLISH | REGINFO_PUBLISH | (1 << 20), Observer::on_record, &observer));
  int mine = 0;
  LONGS_EQUAL(PUA_OK, send(MI_PUBLISH, PRESENCE_EVENT, nullptr));
  LONGS_EQUAL(PUA_OK, send(REGINFO_PUBLISH, PRESENCE_EVENT, &mine));
  LONGS_EQUAL(PUA_OK, send(1 << 20, PRESENCE_EVENT, nullptr));
  CHECK(rig.until([&] { return got.answers.size() == 3 && observer.seen.size() == 2; }));
  const Seen& s = observer.seen[0].flag == REGINFO_PUBLISH ? observer.seen[0] : observer.seen[1];
  STRCMP_EQUAL("sip:alice@example.com", s.uri.c_str());
  STRCMP_EQUAL("desk", s.id.c_str());
  CHECK(s.etag.starts_with("etag"));
  LONGS_EQUAL(PRESENCE_EVENT, s.event);
  LONGS_EQUAL(REGINFO_PUBLISH, s.flag);
  LONGS_EQUAL(REQ_OTHER, s.ua_flag);
  LONGS_EQUAL(200, s.status);
  POINTERS_EQUAL(&mine, s.cb_param);
  POINTERS_EQUAL(&observer, s.param);
  long now = time(nullptr);
  CHECK(s.expires > now + 3590 && s.expires <= now + 3601);
  CHECK(s.desired > now + 3590 && s.desired <= now + 3601);
}

TEST(ApiObserver, a_publication_for_ever_has_no_wanted_end) {
  LONGS_EQUAL(PUA_OK, rig.start());
  LONGS_EQUAL(1, pua_register_puacb(rig.pua, UL_PUBLISH, Observer::on_record, &observer));
  LONGS_EQUAL(PUA_OK, send(UL_PUBLISH, PRESENCE_EVENT, nullptr, "", -1));
  CHECK(rig.until([&] { return observer.seen.size() == 1; }));
  LONGS_EQUAL(0, observer.seen[0].desired);
  CHECK(observer.seen[0].expires > 0);
}

TEST(ApiObserver, refreshes_are_shown_as_the_timers_and_keep_cb_param) {
  LONGS_EQUAL(PUA_OK, rig.start({{"min_expires", "0"}}));
  LONGS_EQUAL(1, pua_register_puacb(rig.pua, UL_PUBLISH, Observer::on_record, &observer));
  rig.server->grant = 1;
  int mine = 0;
  LONGS_EQUAL(PUA_OK, send(UL_PUBLISH, PRESENCE_EVENT, &mine));
  CHECK(rig.until([&] { return observer.seen.size() == 2; }));
  LONGS_EQUAL(REQ_OTHER, observer.seen[0].ua_flag);
  CHECK_FALSE(observer.seen[0].by_timer);
  LONGS_EQUAL(REQ_ME, observer.seen[1].ua_flag);
  CHECK(observer.seen[1].by_timer);
  POINTERS_EQUAL(&mine, observer.seen[1].cb_param);
  STRCMP_EQUAL("etag2", observer.seen[1].etag.c_str());
  LONGS_EQUAL(1, got.answers.size());
  LONGS_EQUAL(0, rig.server->seen[1].body.size());
}

TEST(ApiObserver, failures_are_shown) {
  LONGS_EQUAL(PUA_OK, rig.start());
  LONGS_EQUAL(1, pua_register_puacb(rig.pua, UL_PUBLISH, Observer::on_record, &observer));
  rig.server->script = {500};
  LONGS_EQUAL(PUA_OK, send(UL_PUBLISH, PRESENCE_EVENT, nullptr));
  CHECK(rig.until([&] { return observer.seen.size() == 1; }));
  LONGS_EQUAL(500, observer.seen[0].status);
  LONGS_EQUAL(0, observer.seen[0].expires);
}

TEST(ApiObserver, the_callback_may_register_another_one) {
  LONGS_EQUAL(PUA_OK, rig.start());
  Observer late;
  observer.then = [&] {
    observer.then = nullptr;
    LONGS_EQUAL(1, pua_register_puacb(rig.pua, UL_PUBLISH, Observer::on_record, &late));
  };
  LONGS_EQUAL(1, pua_register_puacb(rig.pua, UL_PUBLISH, Observer::on_record, &observer));
  LONGS_EQUAL(PUA_OK, send(UL_PUBLISH, PRESENCE_EVENT, nullptr));
  CHECK(rig.until([&] { return observer.seen.size() == 1; }));
  LONGS_EQUAL(PUA_OK, send(UL_PUBLISH, PRESENCE_EVENT, nullptr));
  CHECK(rig.until([&] { return observer.seen.size() == 2; }));
  CHECK(rig.until([&] { return !late.seen.empty(); }));
}

TEST(ApiObserver, the_callback_may_free_the_instance) {
  LONGS_EQUAL(PUA_OK, rig.start());
  Observer second;
  observer.then = [&] { rig.stop(); };
  LONGS_EQUAL(1, pua_register_puacb(rig.pua, UL_PUBLISH, Observer::on_record, &observer));
  LONGS_EQUAL(1, pua_register_puacb(rig.pua, UL_PUBLISH, Observer::on_record, &second));
  LONGS_EQUAL(PUA_OK, send(UL_PUBLISH, PRESENCE_EVENT, nullptr));
  LONGS_EQUAL(PUA_OK, send(MI_PUBLISH, PRESENCE_EVENT, nullptr));
  CHECK(rig.until([&] { return rig.pua == nullptr; }));
  rig.settle();
  LONGS_EQUAL(1, observer.seen.size());
  LONGS_EQUAL(0, second.seen.size());
  LONGS_EQUAL(2, got.answers.size());
}

TEST(ApiObserver, bad_arguments_are_refused) {
  LONGS_EQUAL(PUA_OK, rig.start());
  LONGS_EQUAL(PUA_E_BAD_ARGUMENT, pua_register_puacb(rig.pua, 0, Observer::on_record, nullptr));
  LONGS_EQUAL(PUA_E_BAD_ARGUMENT, pua_register_puacb(rig.pua, -1, Observer::on_record, nullptr));
  LONGS_EQUAL(PUA_E_BAD_ARGUMENT, pua_register_puacb(rig.pua, UL_PUBLISH, nullptr, nullptr));
  LONGS_EQUAL(PUA_E_BAD_ARGUMENT, pua_register_puacb(nullptr, UL_PUBLISH, Observer::on_record, nullptr));
}
