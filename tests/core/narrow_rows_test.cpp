// What of a row is written: all of it once, and then what has changed (docs/adr/0015). A narrow write must be enough: after
// each one the table must hold what a whole write would have put there.
#include <string>

#include "tests/core/subs_rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

namespace {

// What was written since the last call.
std::string written(Rig& rig) {
  rig.advance(kSecond);
  return std::exchange(rig.store->kinds, {});
}

}  // namespace

TEST_GROUP(NarrowRows) {
  Rig rig;
  // Refreshes the live record, and answers 2xx.
  void refresh(const std::string& etag) {
    size_t before = rig.sent.size();
    for (int i = 0; i < 4000 && rig.sent.size() == before; i++) rig.advance(kSecond);
    TEXT_EQUAL("refresh", rig.last().kind());
    rig.ok(etag, 3600);
  }
};

TEST(NarrowRows, the_first_row_is_whole_and_a_refresh_is_not) {
  rig.live("e1", -1);
  TEXT_EQUAL("whole", written(rig));
  refresh("e2");
  TEXT_EQUAL("narrow", written(rig));
  TEXT_EQUAL("e2", rig.row().row().etag);
  TEXT_EQUAL("b1", rig.row().row().body);
}

//   |-- publish -->|  row: whole, while the request is out
//   |<-- 200 e1 ---|  row: etag and grant
TEST(NarrowRows, the_result_of_an_initial_publication_is_narrow_where_its_row_was_written_before) {
  rig.publish("b1");
  TEXT_EQUAL("whole", written(rig));
  rig.ok("e1", 3600);
  TEXT_EQUAL("narrow", written(rig));
  TEXT_EQUAL("e1", rig.row().row().etag);
}

TEST(NarrowRows, a_new_lifetime_from_an_owner_is_narrow) {
  rig.live("e1", 600);
  written(rig);
  int64_t before = rig.row().row().desired_expires;
  rig.refresh(7200);
  rig.ok("e2", 7200);
  CHECK(written(rig).find("whole") == std::string::npos);
  LONGLONGS_EQUAL(before + 6600 + 1, rig.row().row().desired_expires);
}

TEST(NarrowRows, a_modify_is_whole_and_its_result_is_not) {
  rig.live("e1");
  written(rig);
  rig.publish("b2");
  TEXT_EQUAL("whole", written(rig));   // the intent, with the new body
  TEXT_EQUAL("b2", rig.row().row().body);
  rig.ok("e2");
  TEXT_EQUAL("narrow", written(rig));
}

TEST(NarrowRows, whatever_an_owner_gives_is_in_the_row) {
  rig.live("e1");
  written(rig);
  rig.ask({.body = {}, .headers = "X-A: 1\r\n"});
  rig.settle();
  rig.ok("e2");
  CHECK(written(rig).find("whole") != std::string::npos);
  TEXT_EQUAL("X-A: 1\r\n", rig.row().row().extra_headers);
  rig.ask({.body = {}, .proxy = "sip:p@x"});
  rig.settle();
  rig.ok("e3");
  CHECK(written(rig).find("whole") != std::string::npos);
  TEXT_EQUAL("sip:p@x", rig.row().row().outbound_proxy);
}

TEST(NarrowRows, a_change_that_waits_while_a_request_is_out_is_not_forgotten) {
  rig.live("e1");
  written(rig);
  rig.publish("b2");
  rig.publish("b3");
  rig.ok("e2");
  rig.ok("e3");
  written(rig);
  TEXT_EQUAL("b3", rig.row().row().body);
  TEXT_EQUAL("e3", rig.row().row().etag);
}

TEST(NarrowRows, a_change_while_the_row_is_being_written_makes_the_next_one_whole) {
  rig.live("e1");
  written(rig);
  rig.store->delay_ms = 50;
  rig.publish("b2");
  rig.advance(200);
  rig.ok("e2");
  rig.advance(10);               // the result is on its way to the disk
  CHECK(rig.store->under_way());
  rig.publish("b3");
  rig.advance(kSecond);
  rig.ok("e3");
  written(rig);
  TEXT_EQUAL("b3", rig.row().row().body);
}

TEST(NarrowRows, a_removal_is_narrow_until_the_row_goes) {
  rig.live("e1");
  written(rig);
  rig.remove();
  TEXT_EQUAL("narrow", written(rig));
  LONGLONGS_EQUAL(1, rig.row().row().desired_expires);
  rig.ok("", 0);
  TEXT_EQUAL("delete", written(rig));
  LONGS_EQUAL(0, rig.rows().size());
}

TEST(NarrowRows, what_is_published_anew_after_a_removal_is_whole) {
  rig.live("e1");
  rig.remove();
  rig.ok("", 0);
  written(rig);
  rig.live("e2");
  CHECK(written(rig).starts_with("whole"));
  TEXT_EQUAL("e2", rig.row().row().etag);
}

TEST(NarrowRows, a_whole_row_that_failed_is_whole_again) {
  rig.live("e1");
  written(rig);
  rig.store->down = true;
  rig.publish("b2");
  rig.advance(200);
  rig.ok("e2");
  written(rig);
  rig.store->down = false;
  rig.advance(60000);
  CHECK(written(rig).find("whole") != std::string::npos);
  TEXT_EQUAL("b2", rig.row().row().body);
}

TEST(NarrowRows, after_a_restart_the_row_is_known) {
  rig.live("e1", -1);
  rig.restart();
  rig.store->kinds.clear();
  refresh("e2");
  TEXT_EQUAL("narrow", written(rig));
  TEXT_EQUAL("b1", rig.row().row().body);
  TEXT_EQUAL("e2", rig.row().row().etag);
}

TEST(NarrowRows, a_new_sharing_tag_reaches_the_rows_of_before) {
  rig.live("e1", -1);
  rig.settings.sharing_tag = "vip";
  rig.restart();
  rig.store->kinds.clear();
  refresh("e2");
  TEXT_EQUAL("whole", written(rig));
  TEXT_EQUAL("vip", rig.row().row().sharing_tag);
}

TEST(NarrowRows, what_was_asked_for_before_the_row_was_loaded_is_whole) {
  rig.live("e1");
  rig.kill();
  rig.load_delay_ms = 100;
  rig.boot();
  rig.publish("b2");
  rig.advance(kSecond);
  rig.ok("e2");
  CHECK(written(rig).starts_with("whole"));
  TEXT_EQUAL("b2", rig.row().row().body);
}

TEST(NarrowRows, while_lost_rows_are_written_again_all_are_whole) {
  for (int n = 0; n < 600; n++) {
    rig.ask({.uri = "sip:u" + std::to_string(n) + "@example.com", .expires = 600, .body = "b1"});
    rig.settle();
    rig.ok("e" + std::to_string(n), 600);
  }
  rig.ask({.uri = "sip:u599@example.com", .expires = 700, .body = {}});
  written(rig);
  TEXT_EQUAL("refresh", rig.last().kind());
  rig.disk.clear();
  static_cast<StoreSink&>(*rig.engine).on_rows_lost(rig.now);
  CHECK(rig.engine->rewriting());
  rig.ok("new", 700);   // before its turn has come
  CHECK(written(rig).find("narrow") == std::string::npos);
  LONGS_EQUAL(600, rig.disk.rows());
}

TEST(NarrowRows, a_row_that_somebody_took_away_is_made_anew) {
  rig.live("e1", -1);
  written(rig);
  rig.disk.clear();
  refresh("e2");
  TEXT_EQUAL("narrow whole", written(rig));
  TEXT_EQUAL("b1", rig.row().row().body);
  TEXT_EQUAL("e2", rig.row().row().etag);
}

// --- subscriptions -----------------------------------------------------------------------------------------------

TEST_GROUP(NarrowSubscriptionRows) {
  SubsRig rig;
  void until_next_request() {
    size_t before = rig.sent.size();
    for (int i = 0; i < 5000 && rig.sent.size() == before; i++) rig.advance(kSecond);
  }
};

TEST(NarrowSubscriptionRows, a_refresh_is_narrow) {
  rig.live({.expires = 100000});
  written(rig);
  until_next_request();
  rig.accept(3600);
  TEXT_EQUAL("narrow", written(rig));
  LONGS_EQUAL(rig.last().cseq, rig.row().row().cseq);
}

TEST(NarrowSubscriptionRows, a_dialog_that_is_made_is_whole) {
  rig.subscribe();
  TEXT_EQUAL("whole", written(rig));
  rig.accept(3600);
  TEXT_EQUAL("whole", written(rig));
  TEXT_EQUAL("n1", rig.row().row().to_tag);
  rig.notify();
  CHECK(written(rig).find("whole") == std::string::npos);
}

TEST(NarrowSubscriptionRows, a_new_target_is_whole) {
  rig.live();
  written(rig);
  rig.notify({.contact = "sip:elsewhere@10.0.0.2"});
  TEXT_EQUAL("whole", written(rig));
  TEXT_EQUAL("sip:elsewhere@10.0.0.2", rig.row().row().remote_contact);
}

TEST(NarrowSubscriptionRows, a_lost_dialog_leaves_the_row) {
  rig.live({.expires = 100000});
  written(rig);
  until_next_request();
  rig.reject(481);
  written(rig);
  TEXT_EQUAL("", rig.row().row().to_tag);
  TEXT_EQUAL("", rig.row().row().remote_contact);
  TEXT_EQUAL(rig.last().call_id, rig.row().row().call_id);
}

// The refresh is out and its row waits to be written when a NOTIFY ends the dialog: it must not stay in the row.
TEST(NarrowSubscriptionRows, a_dialog_that_ends_before_its_row_was_written_leaves_the_row) {
  rig.live();
  written(rig);
  rig.subscribe({.expires = 7200});
  TEXT_EQUAL("refresh", rig.last().kind());
  rig.notify({.state = "terminated", .reason = "deactivated"});
  TEXT_EQUAL("whole", written(rig));
  TEXT_EQUAL("", rig.row().row().to_tag);
}

TEST(NarrowSubscriptionRows, after_a_restart_the_dialog_goes_on_narrowly) {
  rig.live({.expires = 100000});
  written(rig);
  rig.restart();
  rig.store->kinds.clear();
  rig.advance(kSecond);   // each restored dialog fetches its state
  TEXT_EQUAL("refresh", rig.last().kind());
  rig.accept(3600);
  TEXT_EQUAL("narrow", written(rig));
  TEXT_EQUAL("n1", rig.row().row().to_tag);
  LONGS_EQUAL(rig.last().cseq, rig.row().row().cseq);
}

TEST(NarrowSubscriptionRows, an_unsubscribe_is_narrow_until_the_row_goes) {
  rig.live();
  written(rig);
  rig.unsubscribe();
  TEXT_EQUAL("narrow", written(rig));
  rig.accept(0);
  rig.end();
  CHECK(written(rig).ends_with("delete"));
  LONGS_EQUAL(0, rig.rows().size());
}
