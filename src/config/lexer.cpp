#include "config/lexer.h"

#include <cstdio>

namespace pua {

namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_'; }

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string char_text(char c) {
  char buf[16];
  unsigned char u = static_cast<unsigned char>(c);
  if (u >= 0x20 && u < 0x7f) snprintf(buf, sizeof buf, "'%c'", c);
  else snprintf(buf, sizeof buf, "octet 0x%02x", u);
  return buf;
}

}  // namespace

Lexer::Lexer(std::string_view text) : text_(text) {
  if (text_.starts_with("\xef\xbb\xbf")) text_.remove_prefix(3);
}

void Lexer::advance() {
  unsigned char c = static_cast<unsigned char>(text_[pos_++]);
  if (c == '\n') {
    place_.line++;
    place_.column = 1;
  } else if (pos_ >= text_.size() || (static_cast<unsigned char>(text_[pos_]) & 0xc0) != 0x80) {
    place_.column++;  // the last octet of a UTF-8 character moves on
  }
}

Token Lexer::fail(Place at, std::string what) {
  pos_ = text_.size();
  Token t;
  t.kind = Token::Kind::Error;
  t.place = at;
  t.text = std::move(what);
  return t;
}

bool Lexer::skip_blanks_and_comments(Token& error) {
  while (!at_end()) {
    if (is_blank(peek())) {
      advance();
    } else if (peek() == '#' || (peek() == '/' && peek(1) == '/')) {
      while (!at_end() && peek() != '\n') advance();
    } else if (peek() == '/' && peek(1) == '*') {
      Place start = place_;
      advance();
      advance();
      while (!at_end() && !(peek() == '*' && peek(1) == '/')) advance();
      if (at_end()) {
        error = fail(start, "unterminated comment");
        return false;
      }
      advance();
      advance();
    } else {
      break;
    }
  }
  return true;
}

Token Lexer::string_token() {
  Token t;
  t.kind = Token::Kind::String;
  t.place = place_;
  t.literal.is_string = true;
  advance();
  while (!at_end() && peek() != '\n') {
    char c = peek();
    if (c == '"') {
      advance();
      return t;
    }
    if (c == '\\') {
      Place at = place_;
      advance();
      if (at_end() || peek() == '\n') break;
      switch (peek()) {
        case '"': c = '"'; break;
        case '\\': c = '\\'; break;
        case 'n': c = '\n'; break;
        case 'r': c = '\r'; break;
        case 't': c = '\t'; break;
        default: return fail(at, "unknown escape: a backslash and " + char_text(peek()) + R"(; known are \" \\ \n \r \t)");
      }
    }
    t.literal.text += c;
    advance();
  }
  return fail(t.place, "unterminated string");
}

Token Lexer::number_token() {
  Token t;
  t.kind = Token::Kind::Number;
  t.place = place_;
  bool negative = peek() == '-';
  if (negative || peek() == '+') advance();
  int base = 10;
  if (peek() == '0' && (peek(1) == 'x' || peek(1) == 'X')) {
    base = 16;
    advance();
    advance();
  } else if (peek() == '0' && is_digit(peek(1))) {
    base = 8;
    t.literal.octal = true;
  }
  t.literal.decimal = base == 10;
  constexpr int64_t kMax = int64_t{1} << 53;  // beyond any range, and nothing overflows
  size_t digits = 0;
  int64_t v = 0;
  for (; !at_end() && is_word(peek()); advance(), digits++) {
    int d = hex_value(peek());
    if (d < 0 || d >= base) return fail(place_, char_text(peek()) + " in a number");
    v = v * base + d;
    if (v > kMax) return fail(t.place, "number too large");
  }
  if (digits == 0) return fail(t.place, "a number without digits");
  t.literal.number = negative ? -v : v;
  return t;
}

Token Lexer::word_token() {
  Token t;
  t.kind = Token::Kind::Word;
  t.place = place_;
  while (!at_end() && is_word(peek())) {
    t.text += peek();
    advance();
  }
  return t;
}

Token Lexer::next() {
  Token t;
  if (!skip_blanks_and_comments(t)) return t;
  t.place = place_;
  if (at_end()) return t;
  char c = peek();
  if (c == '"') return string_token();
  if (is_digit(c) || c == '-' || c == '+') return number_token();
  if (is_word(c)) return word_token();
  switch (c) {
    case '(': t.kind = Token::Kind::Open; break;
    case ')': t.kind = Token::Kind::Close; break;
    case ',': t.kind = Token::Kind::Comma; break;
    case '\'': return fail(place_, "strings stand in double quotes");
    default: return fail(place_, "unexpected " + char_text(c));
  }
  advance();
  return t;
}

std::string token_text(const Token& t) {
  switch (t.kind) {
    case Token::Kind::End: return "end of file";
    case Token::Kind::Word: return "\"" + (t.text.size() > 40 ? t.text.substr(0, 37) + "..." : t.text) + "\"";
    case Token::Kind::Number: return "number";
    case Token::Kind::String: return "string";
    case Token::Kind::Open: return "'('";
    case Token::Kind::Close: return "')'";
    case Token::Kind::Comma: return "','";
    case Token::Kind::Error: return t.text;
  }
  return "";
}

}  // namespace pua
