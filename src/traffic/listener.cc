#include "traffic/listener.h"

#include <absl/strings/str_replace.h>

#include "envoy/extensions/access_loggers/stats/v3/stats.pb.h"
#include "envoy/extensions/access_loggers/stream/v3/stream.pb.h"
#include "envoy/extensions/filters/http/lua/v3/lua.pb.h"
#include "envoy/extensions/filters/http/router/v3/router.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "traffic/messages.h"

namespace tidegate::traffic {
namespace {

namespace hcm = envoy::extensions::filters::network::http_connection_manager::v3;

// How a request ended, as one word; metrics::Outcome lists them in the same order. A CEL expression over the finished
// request. `response.flags` is Envoy's bit vector, and CEL has no bit operators: bit n is set iff flags % 2^(n+1) is at
// least 2^n. Bits: 2 UT (request timeout), 3 LR, 4 UR, 5 UF, 6 UC (resets and failed connections), 14 DC (the client
// went away), 19 UMSDR (stream duration).
constexpr char kOutcome[] =
    "('x-tidegate-error' in response.headers && response.headers['x-tidegate-error'] == 'model') || "
    "('x-tidegate-error' in response.trailers && response.trailers['x-tidegate-error'] == 'model') ? 'model' : "
    "!has(response.code) || response.flags % 32768 >= 16384 ? 'cancelled' : "
    "response.flags % 8 >= 4 || response.flags % 1048576 >= 524288 ? 'timeout' : "
    "response.flags % 128 >= 8 ? 'reset' : "
    "'grpc-status' in response.trailers || 'grpc-status' in response.headers ? "
    "(response.grpc_status == 0 ? 'ok' : response.grpc_status == 4 ? 'timeout' : response.grpc_status == 8 ? '429' : "
    "response.grpc_status in [2, 12, 13, 14, 15] ? '5xx' : '4xx') : "
    "response.code >= 500 ? '5xx' : response.code == 429 ? '429' : response.code >= 400 ? '4xx' : 'ok'";

// Every finished request is counted in `requests`; one that may not have ended well also in `ended`, under its outcome.
// The filter in front of the expression is cheap and lets a good answer pass by: the expression costs more than all
// the rest of the statistics.
constexpr char kStatistics[] = R"json([
  {
    "name": "tidegate.requests",
    "typedConfig": {
      "@type": "type.googleapis.com/envoy.extensions.access_loggers.stats.v3.Config",
      "statsScope": {"prefix": "tidegate"},
      "counters": [
        {"stat": {"name": "requests", "tags": [{"name": "cluster", "valueFormat": "%UPSTREAM_CLUSTER%"}]},
         "valueFixed": "1"}
      ]
    }
  },
  {
    "name": "tidegate.ended",
    "filter": {"orFilter": {"filters": [
      {"statusCodeFilter": {"comparison": {"op": "LE", "value": {"defaultValue": 0, "runtimeKey": "tidegate.no_code"}}}},
      {"statusCodeFilter": {"comparison": {"op": "GE", "value": {"defaultValue": 400, "runtimeKey": "tidegate.error"}}}},
      {"responseFlagFilter": {}},
      {"andFilter": {"filters": [
        {"headerFilter": {"header": {"name": "content-type", "stringMatch": {"prefix": "application/grpc"}}}},
        {"grpcStatusFilter": {"statuses": ["OK"], "exclude": true}}
      ]}}
    ]}},
    "typedConfig": {
      "@type": "type.googleapis.com/envoy.extensions.access_loggers.stats.v3.Config",
      "statsScope": {"prefix": "tidegate"},
      "counters": [
        {"stat": {"name": "ended", "tags": [{"name": "cluster", "valueFormat": "%UPSTREAM_CLUSTER%"},
                                            {"name": "outcome", "valueFormat": "%CEL($OUTCOME)%"}]},
         "valueFixed": "1"}
      ]
    }
  },
  {
    "name": "tidegate.latency",
    "filter": {"statusCodeFilter": {
      "comparison": {"op": "GE", "value": {"defaultValue": 200, "runtimeKey": "tidegate.answered"}}}},
    "typedConfig": {
      "@type": "type.googleapis.com/envoy.extensions.access_loggers.stats.v3.Config",
      "statsScope": {"prefix": "tidegate"},
      "histograms": [
        {"stat": {"name": "latency", "tags": [{"name": "cluster", "valueFormat": "%UPSTREAM_CLUSTER%"}]},
         "unit": "Microseconds", "valueFormat": "%COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)%"}
      ]
    }
  },
  $ACCESS_LOG
])json";

constexpr char kAccessLog[] = R"json({
  "name": "tidegate.log",
  "typedConfig": {
    "@type": "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
    "logFormat": {"jsonFormat": {
      "time": "%START_TIME%",
      "host": "%REQ(:AUTHORITY)%",
      "method": "%REQ(:METHOD)%",
      "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
      "protocol": "%PROTOCOL%",
      "revision": "%RESP(X-TIDEGATE-REVISION)%",
      "cluster": "%UPSTREAM_CLUSTER%",
      "endpoint": "%UPSTREAM_HOST%",
      "code": "%RESPONSE_CODE%",
      "grpc_status": "%GRPC_STATUS_NUMBER%",
      "model_error": "%RESP(X-TIDEGATE-ERROR)%",
      "flags": "%RESPONSE_FLAGS%",
      "details": "%RESPONSE_CODE_DETAILS%",
      "failure": "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
      "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
      "duration_us": "%COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)%",
      "bytes_received": "%BYTES_RECEIVED%",
      "bytes_sent": "%BYTES_SENT%",
      "client": "%DOWNSTREAM_REMOTE_ADDRESS%",
      "request_id": "%REQ(X-REQUEST-ID)%",
      "traceparent": "%REQ(TRACEPARENT)%"
    }}
  }
})json";

// Answers that the gateway itself gives say what to do, in the JSON form of TensorFlow Serving's errors.
constexpr char kLocalReplies[] = R"json({
  "mappers": [
    {"filter": {"responseFlagFilter": {"flags": ["UO"]}},
     "body": {"inlineString": "More requests at once than spec.traffic.maxConcurrency allows. Try again later."}},
    {"filter": {"responseFlagFilter": {"flags": ["UH"]}},
     "body": {"inlineString": "No pod of this revision is ready. Try again later."}},
    {"filter": {"responseFlagFilter": {"flags": ["UT"]}},
     "body": {"inlineString": "The model did not answer within spec.traffic.timeout."}}
  ],
  "bodyFormat": {"jsonFormat": {"error": "%LOCAL_REPLY_BODY%"}}
})json";

// Nobody's address counts as internal, so a client cannot change retries, timeouts or statistics by x-envoy- headers.
constexpr char kConnectionManager[] = R"json({
  "statPrefix": "gateway",
  "codecType": "AUTO",
  "rds": {"routeConfigName": "$ROUTES",
          "configSource": {"ads": {}, "resourceApiVersion": "V3", "initialFetchTimeout": "0s"}},
  "httpFilters": [{
    "name": "$LUA",
    "typedConfig": {"@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua"}
  }, {
    "name": "envoy.filters.http.router",
    "typedConfig": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
                    "suppressEnvoyHeaders": true}
  }],
  "commonHttpProtocolOptions": {"idleTimeout": "600s", "headersWithUnderscoresAction": "ALLOW"},
  "http2ProtocolOptions": {"maxConcurrentStreams": 1000, "initialStreamWindowSize": 1048576,
                           "initialConnectionWindowSize": 8388608},
  "requestHeadersTimeout": "10s",
  "drainTimeout": "5s",
  "serverName": "tidegate",
  "stripAnyHostPort": true,
  "normalizePath": true,
  "mergeSlashes": true,
  "useRemoteAddress": true,
  "internalAddressConfig": {},
  "preserveExternalRequestId": true,
  "localReplyConfig": $LOCAL_REPLIES,
  "accessLog": $ACCESS_LOGS
})json";

hcm::HttpConnectionManager make_connection_manager() {
  // Named in JSON only: without a use the linker would leave their descriptors out.
  google::protobuf::LinkMessageReflection<envoy::extensions::access_loggers::stats::v3::Config>();
  google::protobuf::LinkMessageReflection<envoy::extensions::access_loggers::stream::v3::StdoutAccessLog>();
  google::protobuf::LinkMessageReflection<envoy::extensions::filters::http::lua::v3::Lua>();
  google::protobuf::LinkMessageReflection<envoy::extensions::filters::http::router::v3::Router>();
  const std::string access_logs =
      absl::StrReplaceAll(kStatistics, {{"$OUTCOME", kOutcome}, {"$ACCESS_LOG", kAccessLog}});
  hcm::HttpConnectionManager manager;
  from_json(absl::StrReplaceAll(kConnectionManager, {{"$ROUTES", kRoutesName},
                                                     {"$LUA", kLuaFilter},
                                                     {"$LOCAL_REPLIES", kLocalReplies},
                                                     {"$ACCESS_LOGS", access_logs}}),
            &manager);
  return manager;
}

}  // namespace

envoy::config::listener::v3::Listener make_listener(const Settings& settings) {
  static const google::protobuf::Any* const manager = new google::protobuf::Any(pack(make_connection_manager()));
  envoy::config::listener::v3::Listener listener;
  listener.set_name(kListenerName);
  auto* address = listener.mutable_address()->mutable_socket_address();
  address->set_address(settings.listen_address);
  address->set_port_value(settings.listen_port);
  listener.mutable_per_connection_buffer_limit_bytes()->set_value(1 << 20);
  auto* filter = listener.add_filter_chains()->add_filters();
  filter->set_name("envoy.filters.network.http_connection_manager");
  *filter->mutable_typed_config() = *manager;
  return listener;
}

}  // namespace tidegate::traffic
