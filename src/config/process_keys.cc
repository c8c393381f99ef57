// SPDX-License-Identifier: Apache-2.0
// Keys of the process as a whole: workers, admin, access_log, shutdown.
#include "config/keys.h"
#include "config/lists.h"
#include "config/scalars.h"

namespace weir::config {

namespace {

constexpr std::uint32_t kMaxWorkers = 1024;
constexpr std::uint32_t kMaxTop = 1000;

// 0 stands for `auto` in the struct.
ScalarPtr<std::uint32_t> workers() {
  const auto inner = count<std::uint32_t>(1, kMaxWorkers);
  ScalarSpec<std::uint32_t> spec;
  spec.type = {"number or `auto`", {}};
  spec.parse = [inner](const std::string& text) -> Parsed<std::uint32_t> {
    if (text == "auto") return 0U;
    return inner->spec().parse(text);
  };
  spec.format = [inner](const std::uint32_t& value) {
    return value == 0 ? text_scalar("auto") : inner->spec().format(value);
  };
  return scalar(std::move(spec));
}

ScalarPtr<Address> unix_address() {
  ScalarSpec<Address> spec = address()->spec();
  spec.type = {"address", "unix:/path"};
  spec.parse = [](const std::string& text) -> Parsed<Address> {
    auto parsed = parse_address(text);
    if (!parsed || parsed->kind == Address::Kind::kUnix) return parsed;
    return std::unexpected(Finding{
        "a TCP address", "verbs are taken on a unix socket only: write unix:/run/weir/admin.sock"});
  };
  return scalar(std::move(spec));
}

struct LogPath {
  AccessLogConfig::Sink sink = AccessLogConfig::Sink::kStdout;
  std::string path;
  bool operator==(const LogPath&) const = default;
};

struct LogFormat {
  AccessLogConfig::Format format = AccessLogConfig::Format::kJson;
  std::string text;
  bool operator==(const LogFormat&) const = default;
};

// The keys of access_log as the file has them; the struct spreads two of them over four members.
struct AccessLogKeys {
  LogPath path;
  LogFormat format;
  Share sample = AccessLogConfig().sample;
};

ScalarPtr<LogPath> log_path() {
  using Sink = AccessLogConfig::Sink;
  ScalarSpec<LogPath> spec;
  spec.type = {"`stdout`, `off` or a file", {}};
  spec.parse = [](const std::string& text) -> Parsed<LogPath> {
    if (text == "stdout") return LogPath{Sink::kStdout, {}};
    if (text == "off") return LogPath{Sink::kOff, {}};
    if (text.find('/') != std::string::npos) return LogPath{Sink::kFile, text};
    return std::unexpected(
        Finding{"neither stdout, off nor a path", "write a file with its folder: ./" + text});
  };
  spec.format = [](const LogPath& value) {
    if (value.sink == Sink::kFile) return text_scalar(value.path);
    return text_scalar(value.sink == Sink::kOff ? "off" : "stdout");
  };
  return scalar(std::move(spec));
}

ScalarPtr<LogFormat> log_format() {
  using Format = AccessLogConfig::Format;
  ScalarSpec<LogFormat> spec;
  spec.type = {"`json`, `common` or a template", {}};
  spec.parse = [](const std::string& text) -> Parsed<LogFormat> {
    if (text == "json") return LogFormat{Format::kJson, {}};
    if (text == "common") return LogFormat{Format::kCommon, {}};
    if (text.find("%{") != std::string::npos) return LogFormat{Format::kTemplate, text};
    return std::unexpected(Finding{"neither json, common nor a template",
                                   "a template has fields such as %{method} %{path} %{status}"});
  };
  spec.format = [](const LogFormat& value) {
    if (value.format == Format::kTemplate) return text_scalar(value.text);
    return text_scalar(value.format == Format::kJson ? "json" : "common");
  };
  return scalar(std::move(spec));
}

CodecPtr<AccessLogKeys> access_log_keys() {
  using S = AccessLogKeys;
  return section<S>({
      key("path", &S::path, log_path(), "Where a line for each request goes."),
      key("format", &S::format, log_format(), "How a line looks."),
      key("sample", &S::sample, share(),
          "The share of requests that are logged; requests that failed always are."),
  });
}

// Nobody's PROXY header is believed unless trusted_proxies has somebody; peers on a unix socket are
// of this machine, and believed.
void check_proxy_protocol(Reader& reader, NodeId id, Config& config) {
  const NodeId trusted = reader.find(id, "trusted_proxies");
  // A network that could not be read is there all the same.
  if (trusted != Document::kNone && reader.document().first_child(trusted) != Document::kNone) {
    return;
  }
  const NodeId listeners = reader.find(id, "listeners");
  const Reader::Step in_listeners(reader, "listeners");
  for (const ListenerConfig& listener : config.listeners) {
    if (listener.proxy_protocol == AcceptProxy::kOff) continue;
    if (listener.address.kind == Address::Kind::kUnix || listener.address.text.empty()) continue;
    const Reader::Step in_listener(reader, listener.name);
    const Reader::Step step(reader, "proxy_protocol");
    const NodeId at = reader.find(reader.find(listeners, listener.name), "proxy_protocol");
    const std::string hint = "add trusted_proxies: [10.0.0.0/8], the networks of those who send it";
    if (listener.proxy_protocol == AcceptProxy::kRequire) {
      reader.error(at, {"no peer is trusted, so every connection would be refused", hint});
    } else {
      reader.warning(at, {"no peer is trusted, so no PROXY header is believed", hint});
    }
  }
}

}  // namespace

CodecPtr<AdminConfig> admin_section() {
  using S = AdminConfig;
  static const auto table = section<S>({
      key("address", &S::address, or_word("off", unix_address()),
          "The unix socket that takes every verb, open to its owner only."),
      key("metrics", &S::metrics, or_word("off", address()),
          "The address that serves /metrics, /healthz, /readyz, /region/health and nothing else."),
      key("ready_when", &S::ready_when, list_of(name(), Repeats::kRefused),
          "Clusters that /readyz answers for: it fails while one has no endpoint to be picked."),
      key("top_tenants", &S::top_tenants, count<std::uint32_t>(0, kMaxTop),
          "Tenants with series of their own, the busiest; the rest is `other`. 0 counts none."),
      key("top_functions", &S::top_functions, count<std::uint32_t>(0, kMaxTop),
          "The same for functions."),
      key("fault_injection", &S::fault_injection, boolean(),
          "Whether `weir set fault` may delay and abort requests, for drills; not in production."),
  });
  return table;
}

CodecPtr<AccessLogConfig> access_log_section() {
  static const auto codec = via<AccessLogConfig, AccessLogKeys>(
      access_log_keys(),
      [](const AccessLogConfig& c) {
        return AccessLogKeys{{c.sink, c.path}, {c.format, c.format_template}, c.sample};
      },
      [](Reader& reader, NodeId id, AccessLogKeys&& keys, AccessLogConfig& c) {
        c = AccessLogConfig{keys.path.sink,     std::move(keys.path.path),
                            keys.format.format, std::move(keys.format.text),
                            keys.sample,        reader.document().location(id)};
      });
  return codec;
}

CodecPtr<ShutdownConfig> shutdown_section() {
  using S = ShutdownConfig;
  static const auto table = section<S>({
      key("drain", &S::drain, duration(Zero::kOff, Millis{1}, std::chrono::hours{24}),
          "How long requests in flight may take to finish after SIGTERM."),
  });
  return table;
}

CodecPtr<Config> config_section() {
  using S = Config;
  static const auto table = section<S>(
      {
          key("workers", &S::workers, workers(),
              "Threads that carry requests; auto takes the CPUs that the cgroup grants."),
          key("zone", &S::zone, text(),
              "Where this weir stands, as in the zones of endpoints and of failover groups; empty "
              "for "
              "nowhere."),
          key("admin", &S::admin, admin_section(), "How weir is operated and observed."),
          key("memory", &S::memory, memory_section(),
              "How much weir may hold for all its requests together."),
          key("access_log", &S::access_log, access_log_section(), "A line for each request."),
          key("trusted_proxies", &S::trusted_proxies, list_of(cidr()),
              "Peers whose X-Forwarded-*, Forwarded and PROXY header are believed."),
          key("shutdown", &S::shutdown, shutdown_section(), "How weir ends."),
          key("identity", &S::identity, optional(identity_section()),
              "Who a request belongs to; left out, nobody is asked.", KeyUse::kAlternative),
          key("tenants", &S::tenants, tenants_section(), "Who is known, and in which class.",
              KeyUse::kOptional, [](const S& config) { return !config.tenants_file.empty(); }),
          key("tenants_file", &S::tenants_file, nonempty_text(),
              "A YAML file with the keys of tenants, instead of them, read at every load.",
              KeyUse::kAlternative),
          key("cells", &S::cells, optional(cells_section()),
              "Units of deployment that serve a share of the tenants each, end to end.",
              KeyUse::kAlternative),
          key("region", &S::region, optional(region_section()),
              "When DNS should name this weir's region: what GET /region/health says.",
              KeyUse::kAlternative),
          key("limits", &S::limits,
              section_list<LimitConfig>(
                  limit_section(), [](const auto& l) -> std::string_view { return l.name; },
                  "name"),
              "What requests may use; all that match must let a request pass."),
          key("load_shedding", &S::load_shedding, load_shedding_section(),
              "Who is refused when weir itself cannot keep up."),
          key("client_deadline", &S::client_deadline, optional(client_deadline_section()),
              "How long trusted clients say that they wait, {} for the defaults; left out, unread.",
              KeyUse::kAlternative),
          key("mirroring", &S::mirroring, mirroring_section(),
              "What copies of requests (routes[].mirror) may take, apart from the requests."),
          key("listeners", &S::listeners, named_map(listener_section(), parse_name),
              "Where weir accepts connections, by name; at least one."),
          key("clusters", &S::clusters, named_map(cluster_section(), parse_name),
              "Groups of interchangeable servers, by name."),
          key("failover_groups", &S::failover_groups,
              named_map(failover_group_section(), parse_name),
              "Clusters that stand in for each other, by name."),
          key("releases", &S::releases, named_map(release_section(), parse_name),
              "Which version of a service a request gets, by name."),
          key("routes", &S::routes,
              section_list<RouteConfig>(
                  route_section(), [](const auto& r) -> std::string_view { return r.name; },
                  "name"),
              "What happens to which request; the most specific match wins."),
      },
      [](Reader& reader, NodeId id, Config& config) {
        check_proxy_protocol(reader, id, config);
        read_tenants_file(reader, id, config);
        check_identity(reader, id, config);
        check_cells(reader, id, config);
        settle_zones(reader, id, config);
        check_releases(reader, id, config);
      });
  return table;
}

}  // namespace weir::config
