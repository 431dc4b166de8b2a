// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0
// The target graph is the rule of design: ParleyCore has no C dependency, so it cannot do I/O;
// each C library is imported by exactly one wrapper target.
import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

/// A test target that mirrors the source target of the same name.
func tests(for target: String, also dependencies: [Target.Dependency] = []) -> Target {
    .testTarget(
        name: "\(target)Tests", dependencies: [.byName(name: target)] + dependencies, swiftSettings: settings)
}

let package = Package(
    name: "parley",
    products: [.executable(name: "parley", targets: ["parley"])],
    targets: [
        // C libraries: a module map and a shim each, nothing else.
        // libpq is the reference Postgres client; its pipeline mode sends a whole transaction in one round trip.
        .systemLibrary(name: "CPostgres", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        // libwebsockets carries bytes: raw sockets, TLS, the event loop. HTTP/1.1 and the frames of RFC 6455 are WebServer's
        // own, because the library's HTTP role loses %2F in paths and accepts two Content-Length headers, and its WebSocket
        // role accepts frames that are not masked. epoll waits in place of its poll(2), with which idle sockets cost time.
        .systemLibrary(name: "CWebSockets", pkgConfig: "libwebsockets", providers: [.apt(["libwebsockets-dev"])]),
        // libcurl fetches key sets (JWKS) and carries push over HTTP/2.
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        // OpenSSL EVP verifies and signs tokens: the JOSE libraries of Debian 12 have broken algorithm pins.
        .systemLibrary(name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        // zlib packs the files of the web client, once at the start.
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        // Kernel calls that the Glibc module leaves out (eventfd and friends).
        .systemLibrary(name: "CLinux"),

        .target(name: "Support", swiftSettings: settings),
        .target(name: "ParleyCore", swiftSettings: settings + [.strictMemorySafety()]),
        .target(
            name: "PostgresClient", dependencies: ["CPostgres", "CLinux", "Support", "Crypto"], swiftSettings: settings),
        .target(name: "WebServer", dependencies: ["CWebSockets", "CLinux", "Support"], swiftSettings: settings),
        .target(name: "HTTPClient", dependencies: ["CCurl", "Support"], swiftSettings: settings),
        .target(name: "Compression", dependencies: ["CZlib"], swiftSettings: settings),
        .target(name: "Crypto", dependencies: ["COpenSSL", "ParleyCore"], swiftSettings: settings),
        .target(
            name: "ParleyWorker",
            dependencies: [
                "Support", "ParleyCore", "PostgresClient", "WebServer", "HTTPClient", "Crypto", "Compression",
            ],
            swiftSettings: settings),
        .executableTarget(
            name: "parley", dependencies: ["Support", "ParleyCore", "PostgresClient", "Crypto", "ParleyWorker"],
            swiftSettings: settings),

        // What tests against Postgres share: addresses of the test cluster, clusters to crash.
        .target(
            name: "PostgresTestKit", dependencies: ["PostgresClient", "CLinux"], path: "Tests/PostgresTestKit",
            swiftSettings: settings),
        // What tests of push share: a process that stands for the providers.
        .target(
            name: "PushTestKit", dependencies: ["HTTPClient", "ParleyCore", "Support"], path: "Tests/PushTestKit",
            swiftSettings: settings),

        tests(for: "Support"),
        tests(for: "ParleyCore"),
        tests(for: "PostgresClient", also: ["PostgresTestKit", "Support"]),
        tests(for: "WebServer"),
        tests(for: "HTTPClient", also: ["WebServer", "Support", "PushTestKit", "ParleyCore"]),
        tests(for: "Crypto"),
        tests(for: "Compression", also: ["CZlib"]),
        tests(for: "ParleyWorker", also: ["PostgresTestKit", "PushTestKit"]),
    ]
)
