// SPDX-License-Identifier: Apache-2.0
#include "proxy/cell_keys.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace weir::proxy {
namespace {

using policy::CellTag;

constexpr std::size_t kLeastKey = 32;

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Empty: not hexadecimal.
std::string bytes_of(std::string_view hex) {
  std::string out;
  if (hex.size() % 2 != 0) return out;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    const int high = digit(hex[i]);
    const int low = digit(hex[i + 1]);
    if (high < 0 || low < 0) return {};
    out += static_cast<char>(high * 16 + low);
  }
  return out;
}

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace

std::expected<CellKeys, std::string> CellKeys::parse(std::string_view text) {
  CellKeys out;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.front() == '#') continue;
    const std::string where = "line " + std::to_string(number) + " ";
    const std::size_t blank = std::min(line.find_first_of(" \t"), line.size());
    const std::string id(line.substr(0, blank));
    const std::string key = bytes_of(trimmed(line.substr(blank)));
    if (!policy::is_key_id(id)) {
      return std::unexpected(where + "begins with no key id of 1 to 16 letters and digits");
    }
    if (key.size() < kLeastKey) {
      return std::unexpected(where + "has no key of at least 64 hexadecimal digits after its id");
    }
    if (std::ranges::find(out.keys_, id, &Key::id) != out.keys_.end()) {
      return std::unexpected(where + "has the id of a line before it");
    }
    out.keys_.push_back({id, net::HmacKey(key)});
  }
  if (out.empty()) return std::unexpected("there is no key in it");
  return out;
}

std::string_view CellKeys::sign(CellTag tag, std::string_view tenant, base::Arena& arena) const {
  CHECK(!keys_.empty());
  const Key& key = keys_.front();
  std::array<char, policy::kSignedRoom> room;
  std::array<char, 2 * CellTag::kMacBytes> digits;
  tag.key = key.id;
  tag.mac = policy::mac_text(key.hmac.mac(policy::signed_bytes(tag, tenant, room)), digits);
  return arena.copy(policy::write_cell_tag(tag, room));
}

CellKeys::Verdict CellKeys::verify(const CellTag& tag, std::string_view tenant) const {
  const auto key = std::ranges::find(keys_, tag.key, &Key::id);
  if (key == keys_.end()) return Verdict::kUnknownKey;
  std::array<char, policy::kSignedRoom> room;
  std::array<char, 2 * CellTag::kMacBytes> digits;
  const auto mac = key->hmac.mac(policy::signed_bytes(tag, tenant, room));
  return policy::same_mac(tag.mac, policy::mac_text(mac, digits)) ? Verdict::kGood
                                                                  : Verdict::kForged;
}

}  // namespace weir::proxy
