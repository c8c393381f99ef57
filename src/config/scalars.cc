// SPDX-License-Identifier: Apache-2.0
#include "config/scalars.h"

#include <algorithm>

#include "config/nearest.h"

namespace weir::config {

namespace {

constexpr std::string_view kDurationUnits = "ms, s, m, h";
constexpr std::string_view kSizeUnits = "B, KiB, MiB, GiB, TiB";
constexpr std::size_t kMaxName = 128;

Finding out_of_range(const std::string& min, const std::string& max, Zero zero) {
  std::string hint = "write a value from " + min + " to " + max;
  if (zero == Zero::kOff) hint += ", or 0 to turn it off";
  return {"out of range", std::move(hint)};
}

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("._-/").find(c) != std::string_view::npos;
}

}  // namespace

ScalarPtr<Millis> duration(Zero zero, Millis min, Millis max) {
  ScalarSpec<Millis> spec;
  spec.type = {"duration", std::string(kDurationUnits)};
  spec.parse = [=](const std::string& text) -> Parsed<Millis> {
    auto value = parse_duration(text);
    if (!value || (zero == Zero::kOff && value->count() == 0)) return value;
    if (*value >= min && *value <= max) return value;
    return std::unexpected(out_of_range(format_duration(min), format_duration(max), zero));
  };
  spec.format = [](const Millis& value) { return text_scalar(format_duration(value)); };
  return scalar(std::move(spec));
}

ScalarPtr<std::uint64_t> size(Zero zero, std::uint64_t min, std::uint64_t max) {
  ScalarSpec<std::uint64_t> spec;
  spec.type = {"size", std::string(kSizeUnits)};
  spec.parse = [=](const std::string& text) -> Parsed<std::uint64_t> {
    auto value = parse_size(text);
    if (!value || (zero == Zero::kOff && *value == 0)) return value;
    if (*value >= min && *value <= max) return value;
    return std::unexpected(out_of_range(format_size(min), format_size(max), zero));
  };
  spec.format = [](const std::uint64_t& value) {
    return Scalar{format_size(value), value == 0 ? Scalar::Kind::kNumber : Scalar::Kind::kText};
  };
  return scalar(std::move(spec));
}

ScalarPtr<ByteRate> rate() {
  return scalar(ScalarSpec<ByteRate>{
      .type = {"rate", "B/s, KiB/s, MiB/s"},
      .parse = [](const std::string& text) { return parse_rate(text); },
      .format = [](const ByteRate& value) { return text_scalar(format_rate(value)); }});
}

ScalarPtr<Share> share(Share max) {
  ScalarSpec<Share> spec;
  spec.type = {"share", "%"};
  spec.parse = [max](const std::string& text) -> Parsed<Share> {
    auto value = parse_share(text);
    if (!value || value->ppm <= max.ppm) return value;
    return std::unexpected(out_of_range("0%", format_share(max), Zero::kRefused));
  };
  spec.format = [](const Share& value) { return text_scalar(format_share(value)); };
  return scalar(std::move(spec));
}

ScalarPtr<bool> boolean() {
  ScalarSpec<bool> spec;
  spec.type = {"true or false", {}};
  spec.parse = [](const std::string& text) -> Parsed<bool> {
    if (text == "true") return true;
    if (text == "false") return false;
    return std::unexpected(Finding{"neither true nor false", "write true or false"});
  };
  spec.format = [](const bool& value) {
    return Scalar{value ? "true" : "false", Scalar::Kind::kBool};
  };
  return scalar(std::move(spec));
}

ScalarPtr<std::int64_t> integer(std::int64_t min, std::int64_t max) {
  ScalarSpec<std::int64_t> spec;
  spec.type = {"number", {}};
  spec.parse = [=](const std::string& text) -> Parsed<std::int64_t> {
    auto value = parse_integer(text);
    if (value && *value >= min && *value <= max) return value;
    Finding finding = value ? Finding{"out of range", ""} : std::move(value.error());
    finding.hint =
        "write a whole number from " + std::to_string(min) + " to " + std::to_string(max);
    return std::unexpected(std::move(finding));
  };
  spec.format = [](const std::int64_t& value) {
    return Scalar{std::to_string(value), Scalar::Kind::kNumber};
  };
  return scalar(std::move(spec));
}

ScalarPtr<std::string> checked_text(std::string_view type,
                                    std::function<Parsed<std::string>(const std::string&)> parse) {
  return scalar(ScalarSpec<std::string>{
      .type = {std::string(type), {}},
      .parse = std::move(parse),
      .format = [](const std::string& value) { return text_scalar(value); }});
}

ScalarPtr<std::string> text() {
  return checked_text("text",
                      [](const std::string& value) -> Parsed<std::string> { return value; });
}

ScalarPtr<std::string> nonempty_text() {
  return checked_text("text", [](const std::string& value) -> Parsed<std::string> {
    if (!value.empty()) return value;
    return std::unexpected(Finding{"empty", "write at least one character"});
  });
}

ScalarPtr<std::string> file_path() {
  return checked_text("file", [](const std::string& value) -> Parsed<std::string> {
    if (value.empty()) return std::unexpected(Finding{"empty", "write the name of a file"});
    if (value.find("-----BEGIN") == std::string::npos) return value;
    return std::unexpected(Finding{"PEM text", "put it into a file and write the file's name"});
  });
}

ScalarPtr<std::string> word_or(std::string_view word, const ScalarPtr<std::string>& inner) {
  const bool is_null = word == "null";
  ScalarSpec<std::string> spec = inner->spec();
  spec.type.name += " or `" + std::string(word) + "`";
  if (is_null) spec.null_value = std::string();
  spec.parse = [inner, word, is_null](const std::string& text) -> Parsed<std::string> {
    if (!is_null && text == word) return std::string();
    return inner->spec().parse(text);
  };
  spec.format = [word](const std::string& value) {
    return text_scalar(value.empty() ? std::string(word) : value);
  };
  return scalar(std::move(spec));
}

ScalarPtr<Address> address() {
  return scalar(
      ScalarSpec<Address>{.type = {"address", "ip:port, unix:/path"},
                          .parse = [](const std::string& text) { return parse_address(text); },
                          .format = [](const Address& value) { return text_scalar(value.text); }});
}

ScalarPtr<Cidr> cidr() {
  return scalar(ScalarSpec<Cidr>{
      .type = {"network", "ip/bits"},
      .parse = [](const std::string& text) { return parse_cidr(text); },
      .format = [](const Cidr& value) { return text_scalar(format_cidr(value)); }});
}

// Without a stream nobody could ask for anything; the upper end is far beyond use and within 31
// bits.
ScalarPtr<std::uint32_t> http2_streams() { return count<std::uint32_t>(1, 1'000'000); }

// From what every connection begins with to the most that fits: no smaller window makes sense of a
// body, and no larger one can be said.
ScalarPtr<std::uint64_t> http2_window() {
  return size(Zero::kRefused, 65'535, (std::uint64_t{1} << 31) - 1);
}

Parsed<std::string> parse_name(const std::string& text) {
  if (text.empty() || text.size() > kMaxName) {
    return std::unexpected(Finding{"not a name", "write 1 to 128 characters"});
  }
  if (std::all_of(text.begin(), text.end(), is_name_char)) return text;
  return std::unexpected(
      Finding{"not a name", "use letters, digits and the characters . _ - / only"});
}

ScalarPtr<std::string> name() { return checked_text("name", parse_name); }

Scalar word_scalar(std::string_view word) {
  const bool digits = word.find_first_not_of("0123456789") == std::string_view::npos;
  return {std::string(word), digits ? Scalar::Kind::kNumber : Scalar::Kind::kText};
}

Finding unknown_word(std::string_view text, const std::vector<std::string_view>& words) {
  if (words.size() == 1) return {"not known here", "write " + either_of(words)};
  // The number nearest to a wrong number is no more likely than the others.
  const bool number = !text.empty() && text.front() >= '0' && text.front() <= '9';
  const std::string_view close = number ? std::string_view() : nearest(text, words);
  std::string hint = "known here: " + either_of(words);
  if (!close.empty())
    hint = "did you mean `" + std::string(close) + "`? Known here: " + either_of(words);
  return {"not known here", std::move(hint)};
}

}  // namespace weir::config
