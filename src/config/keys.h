// SPDX-License-Identifier: Apache-2.0
// The tables of keys, one function a section; each is built on first use and shared ever after.
// config_section() is the whole file. Nothing outside config/ sees these.
#pragma once

#include <weir/config.h>

#include "config/section.h"

namespace weir::config {

CodecPtr<Config> config_section();

CodecPtr<AdminConfig> admin_section();
CodecPtr<MemoryConfig> memory_section();
CodecPtr<AccessLogConfig> access_log_section();
CodecPtr<ShutdownConfig> shutdown_section();
CodecPtr<ListenerConfig> listener_section();
CodecPtr<ListenerTlsConfig> listener_tls_section();

CodecPtr<IdentityConfig> identity_section();
CodecPtr<TenantsConfig> tenants_section();
CodecPtr<LimitConfig> limit_section();
CodecPtr<CellsConfig> cells_section();
CodecPtr<CellTagConfig> cell_tag_section();
CodecPtr<FailbackConfig> failback_section();
CodecPtr<CellReattachConfig> cell_reattach_section();
CodecPtr<RouteCellsConfig> route_cells_section();
// What cells must make of identity, trusted peers and each other.
void check_cells(Reader& reader, NodeId id, Config& config);
/// Tells zone-aware clusters where weir stands.
void settle_zones(Reader& reader, NodeId id, Config& config);
// The name of a cluster, which may hold `{cell}`.
ScalarPtr<std::string> cluster_or_template();
// What identity, tenants and limits must make of each other.
void check_identity(Reader& reader, NodeId id, Config& config);
// Names within tenants; `tenants` is the node of its keys.
void check_tenants(Reader& reader, NodeId tenants, const TenantsConfig& config);
// config.tenants from config.tenants_file, if that is given.
void read_tenants_file(Reader& reader, NodeId id, Config& config);

CodecPtr<RegionConfig> region_section();

CodecPtr<LoadSheddingConfig> load_shedding_section();
CodecPtr<AdaptiveConcurrencyConfig> adaptive_concurrency_section();
CodecPtr<ClientDeadlineConfig> client_deadline_section();

CodecPtr<ClusterConfig> cluster_section();
CodecPtr<ClusterTlsConfig> cluster_tls_section();
CodecPtr<HealthCheckConfig> health_check_section();
CodecPtr<OutlierConfig> outlier_section();
CodecPtr<SlowStartConfig> slow_start_section();
// What a cluster's health and the rest of it must make of each other. `id` is the cluster.
void check_health(Reader& reader, NodeId id, const ClusterConfig& cluster);
CodecPtr<CircuitBreakerConfig> circuit_breaker_section();
// The list under `endpoints`, which is also the whole of an endpoints file.
CodecPtr<std::vector<EndpointConfig>> endpoint_list();

CodecPtr<FailoverGroupConfig> failover_group_section();
CodecPtr<ReleaseConfig> release_section();
// What releases must make of identity.
void check_releases(Reader& reader, NodeId id, const Config& config);

CodecPtr<RouteConfig> route_section();
CodecPtr<RouteMatch> match_section();
// Conditions on headers and query parameters.
CodecPtr<std::vector<ValueMatch>> header_matches();
CodecPtr<std::vector<ValueMatch>> query_matches();
CodecPtr<RouteTarget> target_section();
CodecPtr<DirectTarget> direct_section();
CodecPtr<Rewrite> rewrite_section();
CodecPtr<HeaderOps> header_ops_section();
CodecPtr<RetryConfig> retry_section();
CodecPtr<HedgeConfig> hedge_section();
CodecPtr<MirrorConfig> mirror_section();
CodecPtr<MirroringConfig> mirroring_section();

// A map from header names to values, or to lists of values for fields that come several times.
CodecPtr<HeaderPairs> header_values();

// The defaults that `profile` chooses.
Http1Config http1_defaults(Profile profile);
Http2Config http2_defaults(Profile profile);
ListenerLimits listener_limit_defaults(Profile profile);

}  // namespace weir::config
