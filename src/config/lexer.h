// Tokens of the config file, each with its place.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "config/checks.h"

namespace pua {

struct Place {
  uint32_t line = 1, column = 1;  // column: in characters
};

struct Token {
  enum class Kind : uint8_t { End, Word, Number, String, Open, Close, Comma, Error };
  Kind kind = Kind::End;
  Place place;           // of its first character; of the mistake for an Error
  Literal literal;       // Number, String
  std::string text;      // Word: itself; Error: what is wrong
};

class Lexer {
 public:
  // A byte order mark at the start is skipped. The text must outlive the lexer.
  explicit Lexer(std::string_view text);
  // The next token; after End or Error the same again.
  Token next();

 private:
  bool at_end() const { return pos_ >= text_.size(); }
  char peek(size_t ahead = 0) const { return pos_ + ahead < text_.size() ? text_[pos_ + ahead] : '\0'; }
  void advance();
  bool skip_blanks_and_comments(Token& error);
  Token string_token();
  Token number_token();
  Token word_token();
  Token fail(Place, std::string what);

  std::string_view text_;
  size_t pos_ = 0;
  Place place_;
};

// How a token reads in "unexpected ...".
std::string token_text(const Token&);

}  // namespace pua
