#pragma once
// The labels, annotations and names that everything made for a ModelDeployment carries. Renderers write them, stores
// select by them, the gatherer reads them back.

namespace tidegate::operator_ {

inline constexpr char kFieldManager[] = "tidegate";
inline constexpr char kManagedByLabel[] = "app.kubernetes.io/managed-by";
inline constexpr char kManagedByValue[] = "tidegate";
inline constexpr char kDeploymentLabel[] = "tidegate.dev/deployment";  // value: the ModelDeployment's name
inline constexpr char kRevisionLabel[] = "tidegate.dev/revision";      // value: the revision's name

// On a revision's Deployment: what it was made from. Written once, with it.
inline constexpr char kVersionAnnotation[] = "tidegate.dev/version";
inline constexpr char kModelUriAnnotation[] = "tidegate.dev/model-uri";
inline constexpr char kSourceDigestAnnotation[] = "tidegate.dev/source-digest";
inline constexpr char kRuntimeAnnotation[] = "tidegate.dev/runtime";           // the runtime's name
inline constexpr char kRuntimeHashAnnotation[] = "tidegate.dev/runtime-hash";  // of the runtime's spec
inline constexpr char kRequestHashAnnotation[] = "tidegate.dev/request-hash";  // of what the object asked for

inline constexpr char kFetchContainer[] = "fetch";
inline constexpr char kRuntimeContainer[] = "runtime";

// One address a gateway pod; "tidegate-gateway" is the same pods behind one virtual address (docs/adr/0006).
inline constexpr char kGatewayService[] = "tidegate-gateway-pods";
inline constexpr char kPartOfLabel[] = "app.kubernetes.io/part-of";
inline constexpr char kPartOfValue[] = "tidegate";
inline constexpr char kGatewayLabel[] = "app.kubernetes.io/component";  // value: gateway
inline constexpr char kGatewayValue[] = "gateway";
inline constexpr char kGatewayTlsSecret[] = "tidegate-gateway-tls";
inline constexpr char kAuthoritySecret[] = "tidegate-ca";
inline constexpr char kGatewayIdentity[] = "spiffe://tidegate/gateway";
inline constexpr char kOperatorIdentity[] = "spiffe://tidegate/operator";
inline constexpr char kXdsServerName[] = "tidegate-xds";
inline constexpr char kWebhookService[] = "tidegate-webhook";
inline constexpr char kWebhookConfiguration[] = "tidegate";

inline constexpr int kRestPort = 8501;
inline constexpr int kGrpcPort = 8500;

}  // namespace tidegate::operator_
