// Partial documents: if changes are missing before one, full state is asked for, less and less often.
#include <string>

#include "core/subscription.h"
#include "tests/core/subs_rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP(SubscriptionGaps) {
  SubsRig rig;
  // Documents are "full 1" or "partial 2", with their versions; any other one has no version.
  void documents_have_versions() {
    rig.inspector = [](int32_t, std::string_view, std::string_view body) -> Result<DocumentState> {
      size_t blank = body.find(' ');
      if (blank == body.npos) return DocumentState{};
      auto version = static_cast<uint32_t>(std::stoul(std::string(body.substr(blank + 1))));
      return DocumentState{body.starts_with("full") ? DocumentState::Kind::Full : DocumentState::Kind::Partial, version};
    };
  }
};

//   |<-- NOTIFY, full 1 -----|
//   |<-- NOTIFY, partial 2 --|
//   |<-- NOTIFY, partial 4 --|   3 is missing
//   |-- SUBSCRIBE, to-tag -->|   asks for full state
TEST(SubscriptionGaps, a_partial_document_with_a_gap_makes_a_refresh) {
  documents_have_versions();
  rig.live({.expires = kForEver}, 3600);
  rig.notify({.body = "full 1"});
  rig.notify({.body = "partial 2"});
  rig.advance(10 * kSecond);
  LONGS_EQUAL(1, rig.sent.size());
  rig.notify({.body = "partial 4"});
  TEXT_EQUAL("initial refresh", rig.kinds());
  LONGS_EQUAL(1, rig.stats().notifies_gap);
  CHECK_FALSE(rig.heard[2].gap);
  CHECK(rig.heard[3].gap);
  rig.accept(3600);
  rig.notify({.body = "full 5"});
  rig.notify({.body = "partial 6"});
  rig.advance(60 * kSecond);
  LONGS_EQUAL(2, rig.sent.size());
  LONGS_EQUAL(1, rig.stats().notifies_gap);
}

//   |-- SUBSCRIBE, to-tag -->|   and so on, after 10, 20, 40, 80, 160, 320, 320 s
//   |<-- NOTIFY, partial ----|
TEST(SubscriptionGaps, a_notifier_that_never_sends_full_state_is_asked_more_and_more_seldom) {
  documents_have_versions();
  rig.live({.expires = kForEver}, 3600);
  rig.notify({.body = "full 1"});
  rig.advance(10 * kSecond);
  std::string asked;
  for (int i = 0, last = 0; i < 1000; i++) {
    rig.notify({.body = "partial " + std::to_string(10 + 2 * i)});
    if (rig.open()) {
      asked += std::to_string(i - last) + " ";
      last = i;
      rig.accept(3600);
    }
    rig.advance(kSecond);
  }
  TEXT_EQUAL("0 10 20 40 80 160 320 320 ", asked);
  rig.notify({.body = "full 5000"});
  rig.advance(320 * kSecond);
  while (rig.open()) rig.accept(3600);
  size_t before = rig.sent.size();
  rig.notify({.body = "partial 5002"});
  rig.advance(5 * kSecond);   // after a full document it is 5 s again
  LONGS_EQUAL(1, rig.sent.size() - before);
}

// The notifier counts its versions from the start again, while its CSeq goes on. The first such document may have been
// overtaken by another; the second is no accident.
TEST(SubscriptionGaps, versions_that_begin_anew_make_us_ask_for_full_state) {
  documents_have_versions();
  rig.live({.expires = kForEver}, 3600);
  rig.notify({.body = "full 700"});
  rig.advance(60 * kSecond);
  rig.notify({.body = "partial 1"});
  rig.advance(60 * kSecond);
  TEXT_EQUAL("initial", rig.kinds());
  rig.notify({.body = "partial 2"});
  rig.advance(kSecond);
  TEXT_EQUAL("initial refresh", rig.kinds());
  rig.accept(3600);
  rig.notify({.body = "full 3"});
  rig.notify({.body = "partial 4"});
  TEXT_EQUAL("partial 4", rig.heard.back().body);
}

TEST(SubscriptionGaps, gaps_make_at_most_one_refresh_in_5_s) {
  documents_have_versions();
  rig.live({.expires = kForEver}, 3600);
  rig.notify({.body = "full 1"});
  rig.advance(10 * kSecond);
  size_t before = rig.sent.size();
  for (int i = 0; i < 99; i++) {    // for 10 s a notifier sends partial documents, and never full state
    rig.notify({.body = "partial " + std::to_string(10 + 2 * i)});
    if (rig.open()) rig.accept(3600);
    rig.advance(kSecond / 10);
  }
  LONGS_EQUAL(1, rig.sent.size() - before);   // the next one is due after 10 s
}

TEST(SubscriptionGaps, what_was_missed_is_missing_until_full_state_has_come) {
  documents_have_versions();
  rig.live({.expires = kForEver}, 3600);
  rig.notify({.body = "full 1"});
  rig.advance(10 * kSecond);
  rig.notify({.body = "partial 3"});
  rig.accept(3600);
  rig.notify({.body = "partial 4"});
  CHECK(rig.heard.back().gap);
  rig.notify({.body = "full 5"});
  rig.notify({.body = "partial 6"});
  CHECK_FALSE(rig.heard.back().gap);
}

TEST(SubscriptionGaps, a_notify_without_a_document_does_not_end_the_wait_for_full_state) {
  documents_have_versions();
  rig.live({.expires = kForEver}, 3600);
  rig.notify({.body = "full 1"});
  rig.subscribe({.expires = kForEver});
  rig.accept(3600);
  rig.notify({.body = "partial 3"});   // full state is asked for 5 s after the last request
  rig.advance(kSecond);
  rig.notify({.expires = 1800});
  rig.advance(4 * kSecond);
  TEXT_EQUAL("initial refresh refresh", rig.kinds());
}

TEST(SubscriptionGaps, a_partial_document_before_any_full_one_makes_a_refresh) {
  documents_have_versions();
  rig.subscribe({.expires = kForEver});
  rig.accept(3600);
  rig.notify({.body = "partial 7"});
  CHECK(rig.heard.back().gap);
  rig.advance(5 * kSecond);
  TEXT_EQUAL("initial refresh", rig.kinds());
}

TEST(SubscriptionGaps, a_partial_document_that_was_overtaken_is_told_to_nobody) {
  documents_have_versions();
  rig.live({.expires = kForEver}, 3600);
  rig.notify({.body = "full 5"});
  size_t heard = rig.heard.size();
  LONGS_EQUAL(200, rig.notify({.body = "partial 4"}).status);
  LONGS_EQUAL(heard, rig.heard.size());
  LONGS_EQUAL(1, rig.stats().notifies_stale);
  rig.advance(60 * kSecond);
  LONGS_EQUAL(1, rig.sent.size());
  rig.notify({.body = "partial 6"});
  CHECK_FALSE(rig.heard.back().gap);
}

TEST(SubscriptionGaps, documents_without_versions_have_no_gaps) {
  rig.live({.expires = kForEver}, 3600);
  for (int i = 0; i < 5; i++) rig.notify({.body = "b"});
  rig.advance(60 * kSecond);
  LONGS_EQUAL(1, rig.sent.size());
  LONGS_EQUAL(0, rig.stats().notifies_gap);
}
