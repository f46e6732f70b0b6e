// Told once when it begins, once when it is over.
#include "base/spell.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

TEST_GROUP(Spell) {
  Spell spell;
};

TEST(Spell, it_is_told_once_however_often_it_is_seen) {
  CHECK_TRUE(spell.begins(100));
  CHECK_FALSE(spell.begins(100));
  CHECK_FALSE(spell.begins(9000));
  LONGS_EQUAL(19000, spell.due());
  CHECK_FALSE(spell.over(18999));
  CHECK_TRUE(spell.over(19000));
  CHECK_FALSE(spell.over(30000));
  CHECK_TRUE(spell.begins(30000));
}

TEST(Spell, what_never_was_is_not_over) {
  CHECK_FALSE(spell.over(1000000));
  CHECK_TRUE(spell.due() == kNever);
}
