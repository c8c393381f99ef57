// SPDX-License-Identifier: Apache-2.0
#include "admin/metrics_rooms.h"

namespace weir::admin {
namespace {

void add_failures(const Totals& totals, Samples& out) {
  for (size_t i = 0; i < totals.failures.size(); ++i) {
    const ErrorInfo& info = error_info(static_cast<ErrorCode>(i));
    out.add(totals.failures[i], {{"reason", std::string(info.reason)}});
  }
}

void add_missing(const Totals& totals, Samples& out) {
  if (!totals.identifies) return;
  out.add(totals.tenants_missing, {{"part", "tenant"}});
  out.add(totals.functions_missing, {{"part", "function"}});
}

void add_limits(const Totals& totals, Samples& out) {
  for (const LimitTotals& limit : totals.limits) {
    const auto add = [&](const char* result, uint64_t count) {
      out.add(count, {{"limit", limit.name}, {"result", result}});
    };
    add("passed", limit.passed);
    add("refused_rate", limit.refused_rate);
    add("refused_concurrency", limit.refused_concurrency);
    add("waited", limit.waited);
    add("refused_wait", limit.refused_wait);
    add("dry_run", limit.dry_run);
  }
}

}  // namespace

bool add_policies(Metric metric, const Totals& t, Samples& out) {
  switch (metric) {
    case Metric::kFailures:
      add_failures(t, out);
      return true;
    case Metric::kSpliced:
      out.add(t.spliced_bytes);
      return true;
    case Metric::kIdleShed:
      out.add(t.idle_shed_downstream, {{"side", "downstream"}});
      out.add(t.idle_shed_upstream, {{"side", "upstream"}});
      return true;
    case Metric::kIdentityMissing:
      add_missing(t, out);
      return true;
    case Metric::kLimitDecisions:
      add_limits(t, out);
      return true;
    case Metric::kFaultsInjected:
      out.add(t.faults_injected);
      return true;
    default:
      return false;
  }
}

}  // namespace weir::admin
