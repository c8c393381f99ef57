// SPDX-License-Identifier: Apache-2.0
#include "policy/cell_tag.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/check.h"

namespace weir::policy {
namespace {

constexpr std::size_t kMaxCell = 128;

bool is_word(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         c == '-';
}

bool is_cell_name(std::string_view text) {
  return !text.empty() && text.size() <= kMaxCell &&
         std::ranges::all_of(text, [](char c) { return is_word(c) || c == '.' || c == '/'; });
}

// Canonical decimal: no sign, no leading zero.
template <class T>
bool parse_number(std::string_view text, T& out) {
  if (text.empty() || (text.size() > 1 && text[0] == '0') || text[0] < '0' || text[0] > '9') {
    return false;
  }
  const auto parsed = std::from_chars(text.begin(), text.end(), out);
  return parsed.ec == std::errc() && parsed.ptr == text.end();
}

class Text {
 public:
  explicit Text(std::span<char> room) : room_(room) {}
  void add(std::string_view text) {
    CHECK(text.size() <= room_.size() - size_);
    std::ranges::copy(text, room_.data() + size_);
    size_ += text.size();
  }
  void add(char c) { add(std::string_view(&c, 1)); }
  template <class T>
  void number(T value) {
    std::array<char, 20> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    add({digits.data(), static_cast<std::size_t>(end - digits.data())});
  }
  std::string_view view() const { return {room_.data(), size_}; }

 private:
  std::span<char> room_;
  std::size_t size_ = 0;
};

}  // namespace

std::string_view reassignment_word(Reassignment outcome) {
  static constexpr std::array<std::string_view, static_cast<std::size_t>(Reassignment::kCount)>
      kWords{"taken", "malformed", "unknown_cell", "not_believed", "closed", "guest"};
  return kWords[static_cast<std::size_t>(outcome)];
}

std::string_view fault_word(TagFault fault) {
  static constexpr std::array<std::string_view, static_cast<std::size_t>(TagFault::kCount)> kWords{
      "untrusted",   "too_long", "malformed", "unknown_cell",
      "unknown_key", "forged",   "expired",   "stale"};
  return kWords[static_cast<std::size_t>(fault)];
}

bool is_key_id(std::string_view id) {
  return !id.empty() && id.size() <= CellTag::kMaxKeyId && std::ranges::all_of(id, is_word);
}

std::expected<CellTag, TagFault> parse_cell_tag(std::string_view text) {
  if (text.size() > CellTag::kMaxBytes) return std::unexpected(TagFault::kTooLong);
  std::array<std::string_view, 5> parts;
  std::size_t count = 0;
  for (std::string_view rest = text;;) {
    if (count == parts.size()) return std::unexpected(TagFault::kMalformed);
    const std::size_t colon = rest.find(':');
    parts[count++] = rest.substr(0, colon);
    if (colon == std::string_view::npos) break;
    rest.remove_prefix(colon + 1);
  }
  CellTag tag;
  tag.cell = parts[0];
  if (!is_cell_name(tag.cell)) return std::unexpected(TagFault::kMalformed);
  if (count == 1) return tag;
  tag.key = parts[3];
  tag.mac = parts[4];
  const bool whole = count == parts.size() && parse_number(parts[1], tag.epoch) &&
                     parse_number(parts[2], tag.expires) && is_key_id(tag.key) &&
                     tag.mac.size() == 2 * CellTag::kMacBytes &&
                     std::ranges::all_of(tag.mac, [](char c) {
                       return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
                     });
  if (!whole) return std::unexpected(TagFault::kMalformed);
  return tag;
}

// Each part with its length before it, so that no two different tags sign the same bytes.
std::string_view signed_bytes(const CellTag& tag, std::string_view tenant, std::span<char> room) {
  Text text(room);
  text.add("weir-cell-1 ");
  text.number(tag.cell.size());
  text.add(':');
  text.add(tag.cell);
  text.number(tenant.size());
  text.add(':');
  text.add(tenant);
  text.number(tag.epoch);
  text.add(':');
  text.number(tag.expires);
  return text.view();
}

std::string_view write_cell_tag(const CellTag& tag, std::span<char> room) {
  Text text(room);
  text.add(tag.cell);
  text.add(':');
  text.number(tag.epoch);
  text.add(':');
  text.number(tag.expires);
  text.add(':');
  text.add(tag.key);
  text.add(':');
  text.add(tag.mac);
  return text.view();
}

std::string_view mac_text(std::span<const std::uint8_t> mac, std::span<char> room) {
  static constexpr char kDigits[] = "0123456789abcdef";
  CHECK(room.size() >= 2 * CellTag::kMacBytes && mac.size() >= CellTag::kMacBytes);
  for (std::size_t i = 0; i < CellTag::kMacBytes; ++i) {
    room[2 * i] = kDigits[mac[i] >> 4];
    room[2 * i + 1] = kDigits[mac[i] & 15];
  }
  return {room.data(), 2 * CellTag::kMacBytes};
}

bool same_mac(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]);
  }
  // The compiler may not find out that a difference once seen stays one.
  asm volatile("" : "+r"(difference));
  return difference == 0;
}

}  // namespace weir::policy
