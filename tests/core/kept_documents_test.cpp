// The documents that are kept: those of the subscriptions whose NOTIFYs came last.
#include <memory>
#include <string>

#include "core/kept_documents.h"
#include "tests/core/rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

TEST_GROUP(KeptDocuments) {};

TEST(KeptDocuments, whoever_was_heard_from_longest_ago_makes_room) {
  KeptDocuments kept(2);
  KeptDocument *a = nullptr, *b = nullptr, *c = nullptr;
  kept.keep(a, "", "t/a", "A");
  kept.keep(b, "", "t/b", "B");
  kept.keep(a, "why", "", "");       // a NOTIFY without a document leaves the last document in place
  kept.keep(c, "", "t/c", "C");
  POINTERS_EQUAL(nullptr, b);
  TEXT_EQUAL("A", a->body);
  TEXT_EQUAL("t/a", a->content_type);
  TEXT_EQUAL("why", a->reason);
  TEXT_EQUAL("C", c->body);
  kept.drop(a);
  POINTERS_EQUAL(nullptr, a);
  kept.drop(a);
  kept.keep(b, "", "t/b", "B");
  TEXT_EQUAL("C", c->body);
}

TEST(KeptDocuments, nothing_of_who_made_room_is_left) {
  KeptDocuments kept(1);
  KeptDocument *a = nullptr, *b = nullptr;
  kept.keep(a, "why", "t/a", "A");
  kept.keep(b, "", "", "");
  POINTERS_EQUAL(nullptr, a);
  TEXT_EQUAL("", b->reason);
  TEXT_EQUAL("", b->content_type);
  TEXT_EQUAL("", b->body);
  kept.keep(a, "", "t/a", "A");
  POINTERS_EQUAL(nullptr, b);
  TEXT_EQUAL("A", a->body);
}

TEST(KeptDocuments, with_no_room_nothing_is_kept) {
  KeptDocuments kept(0);
  KeptDocument* a = nullptr;
  kept.keep(a, "", "t/a", "A");
  POINTERS_EQUAL(nullptr, a);
}

TEST(KeptDocuments, they_may_outlive_those_who_were_heard_from) {
  auto owner = std::make_unique<KeptDocument*>(nullptr);
  KeptDocuments kept(2);
  kept.keep(*owner, "", "t/a", "A");
  owner.reset();
}
