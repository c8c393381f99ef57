// SPDX-License-Identifier: Apache-2.0
#include "proxy/access_log.h"

#include <array>
#include <variant>

#include "proxy/access_log_line.h"

namespace weir::proxy {
namespace {

using R = AccessRecord;

enum class TimeForm : uint8_t { kRfc3339, kCommon };

using Source = std::variant<std::string_view R::*, uint16_t R::*, uint32_t R::*, uint64_t R::*,
                            int64_t R::*, bool R::*, TimeForm>;

struct Field {
  std::string_view name;
  Source source;
};

// In the order of a JSON line. time_common is a template's field alone, and so the last.
constexpr auto kFields = std::to_array<Field>({
    {"time", TimeForm::kRfc3339},
    {"client", &R::client},
    {"client_port", &R::client_port},
    {"listener", &R::listener},
    {"method", &R::method},
    {"scheme", &R::scheme},
    {"authority", &R::authority},
    {"target", &R::target},
    {"path", &R::path},
    {"protocol", &R::protocol},
    {"status", &R::status},
    {"reason", &R::reason},
    {"detail", &R::detail},
    {"route", &R::route},
    {"tenant", &R::tenant},
    {"function", &R::function},
    {"class", &R::class_name},
    {"priority", &R::priority},
    {"cell", &R::cell},
    {"cell_served", &R::cell_served},
    {"release", &R::release},
    {"release_to", &R::release_to},
    {"release_rule", &R::release_rule},
    {"cluster", &R::cluster},
    {"endpoint", &R::endpoint},
    {"attempts", &R::attempts},
    {"tries", &R::tries},
    {"grpc_status", &R::grpc_status},
    {"upstream_status", &R::upstream_status},
    {"upstream_reused", &R::upstream_reused},
    {"bytes_received", &R::bytes_received},
    {"bytes_sent", &R::bytes_sent},
    {"head_us", &R::head_us},
    {"connected_us", &R::connected_us},
    {"sent_us", &R::sent_us},
    {"response_us", &R::response_us},
    {"total_us", &R::total_us},
    {"request_id", &R::request_id},
    {"trace_id", &R::trace_id},
    {"user_agent", &R::user_agent},
    {"referer", &R::referer},
    {"time_common", TimeForm::kCommon},
});
constexpr size_t kJsonFields = kFields.size() - 1;
constexpr uint8_t kNoField = 0xff;

constexpr std::string_view kCommonTemplate =
    "%{client} - - [%{time_common}] \"%{method} %{target} %{protocol}\" %{status} %{bytes_sent}";

uint8_t find_field(std::string_view name) {
  for (size_t i = 0; i < kFields.size(); ++i) {
    if (kFields[i].name == name) return static_cast<uint8_t>(i);
  }
  return kNoField;
}

// Writes the value of one field, or says that the record has none.
struct Writer {
  const AccessRecord& record;
  LogLine& line;
  LogEscape escape;
  size_t longest;

  bool has(std::string_view R::*text) const { return !(record.*text).empty(); }
  bool has(uint16_t R::*number) const { return record.*number != 0; }
  bool has(int64_t R::*phase) const { return record.*phase >= 0; }
  bool has(auto) const { return true; }

  void operator()(std::string_view R::*text) const {
    const std::string_view value = (record.*text).substr(0, longest);
    if (escape == LogEscape::kPlain) return line.escaped(value, escape);
    line.raw("\"");
    line.escaped(value, escape);
    line.raw("\"");
  }
  void operator()(bool R::*flag) const { line.raw(record.*flag ? "true" : "false"); }
  void operator()(TimeForm form) const {
    if (form == TimeForm::kCommon) return line.time_common(record.started);
    if (escape == LogEscape::kPlain) return line.time_rfc3339(record.started);
    line.raw("\"");
    line.time_rfc3339(record.started);
    line.raw("\"");
  }
  void operator()(auto R::*number) const { line.number(static_cast<int64_t>(record.*number)); }
};

std::string unknown_field(std::string_view name) {
  std::string message =
      "the template names a field that does not exist: %{" + std::string(name) + "}; there are";
  for (const Field& field : kFields)
    message += (&field == &kFields[0] ? " " : ", ") + std::string(field.name);
  return message;
}

}  // namespace

std::vector<std::string_view> AccessLogFormat::field_names() {
  std::vector<std::string_view> names;
  for (const Field& field : kFields) names.push_back(field.name);
  return names;
}

std::expected<AccessLogFormat, std::string> AccessLogFormat::compile(
    const AccessLogConfig& config) {
  AccessLogFormat format;
  format.off_ = config.sink == AccessLogConfig::Sink::kOff;
  format.sample_ppm_ = config.sample.ppm;
  format.json_ = config.format == AccessLogConfig::Format::kJson;
  if (format.json_) {
    format.compile_json();
    return format;
  }
  const bool common = config.format == AccessLogConfig::Format::kCommon;
  const auto done = format.compile_template(common ? kCommonTemplate : config.format_template);
  if (!done) return std::unexpected(done.error());
  return format;
}

void AccessLogFormat::add(std::string_view text, uint8_t field) {
  pieces_.push_back(
      {static_cast<uint32_t>(texts_.size()), static_cast<uint32_t>(text.size()), field});
  texts_ += text;
}

void AccessLogFormat::compile_json() {
  for (size_t i = 0; i < kJsonFields; ++i) {
    // The first field, time, is always there, so a comma before each other one is always right.
    add((i == 0 ? "{\"" : ",\"") + std::string(kFields[i].name) + "\":", static_cast<uint8_t>(i));
  }
}

std::expected<void, std::string> AccessLogFormat::compile_template(std::string_view text) {
  std::string literal;
  while (!text.empty()) {
    const size_t percent = text.find('%');
    literal += text.substr(0, percent);
    if (percent == std::string_view::npos) break;
    text.remove_prefix(percent + 1);
    if (text.starts_with('%')) {
      literal += '%';
      text.remove_prefix(1);
      continue;
    }
    const size_t close = text.find('}');
    if (!text.starts_with('{') || close == std::string_view::npos) {
      return std::unexpected("a % in the template begins no %{field}; write %% for a percent sign");
    }
    const std::string_view name = text.substr(1, close - 1);
    const uint8_t field = find_field(name);
    if (field == kNoField) return std::unexpected(unknown_field(name));
    add(literal, field);
    literal.clear();
    text.remove_prefix(close + 1);
  }
  add(literal, kNoField);
  return {};
}

bool AccessLogFormat::wants(const AccessRecord& record, uint64_t draw) const {
  if (off_) return false;
  if (!record.reason.empty() || record.status >= 500 || record.status == 0) return true;
  return ((draw >> 32) * Share::kWhole) >> 32 < sample_ppm_;
}

bool AccessLogFormat::write(const AccessRecord& record, size_t longest, LogLine& line) const {
  const Writer writer{record, line, json_ ? LogEscape::kJson : LogEscape::kPlain, longest};
  for (const Piece& piece : pieces_) {
    const std::string_view text{texts_.data() + piece.text_begin, piece.text_size};
    if (piece.field == kNoField) {
      line.raw(text);
      continue;
    }
    std::visit(
        [&](auto source) {
          const bool there = writer.has(source);
          if (json_ && !there) return;
          line.raw(text);
          if (there) {
            writer(source);
          } else {
            line.raw("-");
          }
        },
        kFields[piece.field].source);
  }
  if (json_) line.raw(longest == kWhole ? "}" : ",\"truncated\":true}");
  line.raw("\n");
  return line.fits();
}

size_t AccessLogFormat::format(const AccessRecord& record, char* out, size_t room) const {
  for (const size_t longest : {kWhole, size_t{1024}, size_t{64}}) {
    LogLine line(out, room);
    if (write(record, longest, line)) return line.size();
  }
  return 0;
}

}  // namespace weir::proxy
