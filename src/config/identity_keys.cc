// SPDX-License-Identifier: Apache-2.0
// Keys of identity and of tenants: who a request belongs to.
#include <algorithm>

#include "config/http_words.h"
#include "config/keys.h"
#include "config/lists.h"
#include "config/scalars.h"

namespace weir::config {

namespace {

constexpr std::uint32_t kMaxWeight = 1000;
constexpr std::size_t kMaxIdentity = 256;

using Kind = IdentityRule::Kind;

// Who is asked, of a client certificate.
enum class CertificatePart : std::uint8_t { kSubject, kSan };

// A rule as the file has it: one of these.
struct RuleKeys {
  std::string header;
  std::string host_regex;
  std::string path_regex;
  std::optional<bool> route;
  std::optional<CertificatePart> client_cert;
  std::string value;
};

ScalarPtr<std::optional<bool>> only_true() {
  ScalarSpec<std::optional<bool>> spec;
  spec.type = {"true", {}};
  spec.parse = [](const std::string& text) -> Parsed<std::optional<bool>> {
    if (text == "true") return std::optional<bool>(true);
    return std::unexpected(Finding{"not true", "write route: true, or leave the rule out"});
  };
  spec.format = [](const std::optional<bool>&) { return Scalar{"true", Scalar::Kind::kBool}; };
  return scalar(std::move(spec));
}

ScalarPtr<std::optional<CertificatePart>> certificate_part() {
  using Part = std::optional<CertificatePart>;
  const auto inner = enumeration<CertificatePart>(
      {{"subject", CertificatePart::kSubject}, {"san", CertificatePart::kSan}});
  ScalarSpec<Part> spec;
  spec.type = inner->spec().type;
  spec.parse = [inner](const std::string& text) -> Parsed<Part> {
    auto parsed = inner->spec().parse(text);
    if (!parsed) return std::unexpected(std::move(parsed.error()));
    return Part(*parsed);
  };
  spec.format = [inner](const Part& part) { return inner->spec().format(*part); };
  return scalar(std::move(spec));
}

ScalarPtr<std::string> identity_value() {
  return checked_text("text", [](const std::string& value) -> Parsed<std::string> {
    const bool plain = std::ranges::none_of(
        value, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
    if (!value.empty() && value.size() <= kMaxIdentity && plain) return value;
    return std::unexpected(
        Finding{"not an identity", "write 1 to 256 bytes without control bytes"});
  });
}

CodecPtr<RuleKeys> rule_keys() {
  using S = RuleKeys;
  constexpr auto kOne = KeyUse::kAlternative;
  return section<S>({
      key("header", &S::header, header_name(), "This header of a trusted peer's request.", kOne),
      key("host_regex", &S::host_regex, regex(), "The first group of a pattern on the host.", kOne),
      key("path_regex", &S::path_regex, regex(), "The first group of a pattern on the path.", kOne),
      key("route", &S::route, only_true(), "The name of the route.", kOne),
      key("client_cert", &S::client_cert, certificate_part(),
          "The subject or first alternative name of a verified client certificate.", kOne),
      key("value", &S::value, identity_value(), "This text, for whoever is left.", kOne),
  });
}

RuleKeys to_keys(const IdentityRule& rule) {
  RuleKeys keys;
  switch (rule.kind) {
    case Kind::kHeader:
      keys.header = rule.text;
      break;
    case Kind::kHostRegex:
      keys.host_regex = rule.text;
      break;
    case Kind::kPathRegex:
      keys.path_regex = rule.text;
      break;
    case Kind::kRoute:
      keys.route = true;
      break;
    case Kind::kClientSubject:
      keys.client_cert = CertificatePart::kSubject;
      break;
    case Kind::kClientSan:
      keys.client_cert = CertificatePart::kSan;
      break;
    case Kind::kValue:
      keys.value = rule.text;
      break;
  }
  return keys;
}

void from_keys(Reader& reader, NodeId id, RuleKeys&& keys, IdentityRule& rule) {
  const NodeId first = reader.document().first_child(id);
  const bool one = reader.document().kind(id) == NodeKind::kMap && first != Document::kNone &&
                   reader.document().next(reader.document().next(first)) == Document::kNone;
  if (!one) {
    return reader.error(id, {"a rule says one thing",
                             "write each as its own: [{header: x-tenant-id}, {value: anonymous}]"});
  }
  if (keys.route) {
    rule.kind = Kind::kRoute;
  } else if (keys.client_cert) {
    rule.kind =
        *keys.client_cert == CertificatePart::kSan ? Kind::kClientSan : Kind::kClientSubject;
  } else if (!keys.header.empty()) {
    rule = {Kind::kHeader, std::move(keys.header)};
  } else if (!keys.host_regex.empty()) {
    rule = {Kind::kHostRegex, std::move(keys.host_regex)};
  } else if (!keys.path_regex.empty()) {
    rule = {Kind::kPathRegex, std::move(keys.path_regex)};
  } else {
    rule = {Kind::kValue, std::move(keys.value)};
  }
  const SourceLocation at = reader.document().location(reader.document().next(first));
  rule.line = at.line;
  rule.column = at.column;
  rule.file = at.file;
}

class RuleCodec : public ViaCodec<IdentityRule, RuleKeys> {
 public:
  RuleCodec() : ViaCodec(rule_keys(), to_keys, from_keys) {}
  void describe(Catalog& catalog, const IdentityRule&) const override {
    rule_keys()->describe(catalog, RuleKeys());
  }
};

// What a rule is told apart by; those without a text have a word of their own.
std::string_view name_of(const IdentityRule& rule) {
  switch (rule.kind) {
    case Kind::kRoute:
      return "route";
    case Kind::kClientSubject:
      return "client_cert: subject";
    case Kind::kClientSan:
      return "client_cert: san";
    default:
      return rule.text;
  }
}

CodecPtr<std::vector<IdentityRule>> rules() {
  static const auto list = section_list<IdentityRule>(std::make_shared<const RuleCodec>(), name_of);
  return list;
}

struct ForwardKeys {
  std::string tenant = IdentityConfig().forward_tenant;
  std::string function = IdentityConfig().forward_function;
  std::string priority = IdentityConfig().forward_priority;
};

struct IdentityKeys {
  std::vector<IdentityRule> tenant;
  std::vector<IdentityRule> function;
  std::vector<IdentityRule> class_name;
  std::vector<IdentityRule> priority;
  ForwardKeys forward;
};

CodecPtr<ForwardKeys> forward_section() {
  using S = ForwardKeys;
  return section<S>({
      key("tenant", &S::tenant, word_or("null", editable_header_name()),
          "The header that tells upstreams the tenant; null for none."),
      key("function", &S::function, word_or("null", editable_header_name()),
          "The header that tells upstreams the function; null for none."),
      key("priority", &S::priority, word_or("null", editable_header_name()),
          "The header that tells upstreams the priority; null for none."),
  });
}

}  // namespace

CodecPtr<IdentityConfig> identity_section() {
  using S = IdentityKeys;
  static const auto codec = via<IdentityConfig, S>(
      section<S>({
          key("tenant", &S::tenant, rules(),
              "Who the request belongs to: the first rule that knows."),
          key("function", &S::function, rules(), "What is called."),
          key("class", &S::class_name, rules(),
              "The tenant's class; where no rule knows it, tenants says it."),
          key("priority", &S::priority, rules(),
              "0 (shed last) to 5; where no rule knows it, class, then shed_priority say it."),
          key("forward", &S::forward, forward_section(), "What upstreams are told."),
      }),
      [](const IdentityConfig& c) {
        return S{c.tenant,
                 c.function,
                 c.class_name,
                 c.priority,
                 {c.forward_tenant, c.forward_function, c.forward_priority}};
      },
      [](Reader&, NodeId, S&& keys, IdentityConfig& c) {
        c.tenant = std::move(keys.tenant);
        c.function = std::move(keys.function);
        c.class_name = std::move(keys.class_name);
        c.priority = std::move(keys.priority);
        c.forward_tenant = std::move(keys.forward.tenant);
        c.forward_function = std::move(keys.forward.function);
        c.forward_priority = std::move(keys.forward.priority);
      });
  return codec;
}

// ---- Tenants.

namespace {

CodecPtr<TenantClass> class_section() {
  using S = TenantClass;
  return section<S>({
      key("weight", &S::weight, count<std::uint32_t>(1, kMaxWeight),
          "The tenants' share of a queue, relative to other classes."),
      key("priority", &S::priority, or_word("null", count<std::uint8_t>(0, kLastPriority)),
          "Of its tenants under overload, 0 shed last, 5 first; null: the route's shed_priority."),
      key("memory_share", &S::memory_share, share(),
          "How much of memory.budget the requests of one tenant may hold."),
  });
}

// A map from a tenant to the name of his class.
class MembersCodec : public Codec<std::vector<TenantMember>> {
 public:
  void read(Reader& reader, NodeId id, std::vector<TenantMember>& members) const override {
    members.clear();
    for (const auto& [tenant, value] : reader.entries(id, "a map from tenants to classes")) {
      const Reader::Step step(reader, reader.document().text(tenant));
      TenantMember member;
      identity_value()->read(reader, tenant, member.tenant);
      name()->read(reader, value, member.class_name);
      if (!member.tenant.empty() && !member.class_name.empty()) {
        members.push_back(std::move(member));
      }
    }
  }
  void write(Emitter& emitter, const std::vector<TenantMember>& members) const override {
    emitter.begin_map();
    for (const TenantMember& member : members) {
      emitter.key(member.tenant);
      emitter.scalar(text_scalar(member.class_name));
    }
    emitter.end_map();
  }
  void compare(Changes& changes, const std::vector<TenantMember>& before,
               const std::vector<TenantMember>& after) const override {
    compare_by_name(
        changes, *member_, before, after,
        [](const TenantMember& m) { return std::string_view(m.tenant); },
        [](std::string_view text) { return std::string(text); });
  }
  TypeInfo type() const override { return {"map of names", {}}; }

 private:
  class MemberCodec : public Codec<TenantMember> {
   public:
    void read(Reader&, NodeId, TenantMember&) const override {}
    void write(Emitter& emitter, const TenantMember& member) const override {
      emitter.scalar(text_scalar(member.class_name));
    }
    void compare(Changes& changes, const TenantMember& before,
                 const TenantMember& after) const override {
      if (before.class_name != after.class_name) {
        changes.changed(before.class_name, after.class_name);
      }
    }
    TypeInfo type() const override { return {"name", {}}; }
  };
  CodecPtr<TenantMember> member_ = std::make_shared<const MemberCodec>();
};

}  // namespace

CodecPtr<TenantsConfig> tenants_section() {
  using S = TenantsConfig;
  static const auto table = section<S>(
      {
          key("classes", &S::classes, named_map(class_section(), parse_name),
              "Kinds of tenants, by name."),
          key("members", &S::members, std::make_shared<const MembersCodec>(),
              "Who is in which class."),
          key("default_class", &S::default_class, word_or("null", name()),
              "The class of whoever is not listed; null for one of weight 1."),
          key("open", &S::open, boolean(),
              "Whether names that are not listed count on their own; false counts them as one, "
              "`unknown`."),
      },
      [](Reader& reader, NodeId id, S& tenants) { check_tenants(reader, id, tenants); });
  return table;
}

}  // namespace weir::config
