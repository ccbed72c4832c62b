# One image, two roles; the arguments choose: `api …` (the default) or `worker …`. infra/arguments.json is the list of
# the command lines that are deployed, the ones below included; `launcher --help` explains those of the launcher.
# No build mounts and no here-documents: the registry's own builder (azd's remoteBuild) knows neither.

# Spin 4.1 or newer: the components speak WASI 0.3.0, which 4.0 does not.
ARG SPIN_VERSION=v4.1.0
ARG RUST_VERSION=1.95.0
ARG NODE_VERSION=22

# The API reference's assets, which are too large to be part of the component.
FROM node:${NODE_VERSION}-bookworm-slim AS pages
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN ["npm", "ci"]
COPY web web
RUN ["node", "web/vendor.mjs"]

# The components and the launcher. Alpine's target is musl, so the launcher runs without any libraries.
FROM rust:${RUST_VERSION}-alpine AS build
ARG RUST_VERSION
# The compiler that is there already, whatever rust-toolchain.toml would fetch.
ENV RUSTUP_TOOLCHAIN=${RUST_VERSION}
# hadolint ignore=DL3018
RUN apk add --no-cache musl-dev
RUN ["rustup", "target", "add", "wasm32-wasip2"]
WORKDIR /src
COPY . .
RUN ["cargo", "build", "--locked", "--release", "--target", "wasm32-wasip2", "--package", "api-component", "--package", "worker-component"]
RUN ["cargo", "build", "--locked", "--release", "--package", "launcher"]

# No shell, no package manager: Spin is one static binary.
FROM ghcr.io/spinframework/spin:${SPIN_VERSION}-distroless
WORKDIR /app
# The manifest names the components by their place in the build folder.
COPY spin.toml runtime-config.toml infra/container/compile-cache.toml ./
COPY --from=build /src/target/wasm32-wasip2/release/api_component.wasm /src/target/wasm32-wasip2/release/worker_component.wasm target/wasm32-wasip2/release/
COPY --from=pages /src/web/pages web/pages
COPY --from=build /src/target/release/launcher /usr/local/bin/launcher

# /tmp is all that has to be writable: the root file system may be read-only. Spin unpacks the application there.
ENV HOME=/tmp TMPDIR=/tmp

# Compiling is paid for here instead of at every start from zero replicas: Spin starts once in each role, and
# what it compiled stays in /app/compile-cache. Code compiled for another processor than the one it meets at
# run time is not used but compiled anew, which costs a second and breaks nothing.
RUN ["/usr/local/bin/launcher", "warm", "--health-url", "http://127.0.0.1:3000/.well-known/spin/health", "--get", "http://127.0.0.1:3000/healthz", "--", "spin", "up", "--from", "/app/spin.toml", "--component-id", "api", "--direct-mounts", "--cache", "/app/compile-cache.toml", "--state-dir", "", "--listen", "127.0.0.1:3000"]
RUN ["/usr/local/bin/launcher", "warm", "--health-url", "http://127.0.0.1:3000/.well-known/spin/health", "--get", "http://127.0.0.1:3000/drain", "--", "spin", "up", "--from", "/app/spin.toml", "--component-id", "worker", "--direct-mounts", "--cache", "/app/compile-cache.toml", "--state-dir", "", "--listen", "127.0.0.1:3000"]

# Nobody in particular; owns nothing.
USER 65532:65532
EXPOSE 3000
ENTRYPOINT ["/usr/local/bin/launcher"]
# Both roles have their host on port 3000 of their own container, the worker on loopback only.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["/usr/local/bin/launcher", "health", "--url", "http://127.0.0.1:3000/.well-known/spin/health"]

# What the options of Spin are for:
#   --component-id          one role per container: the worker's route is not on the API's ingress, and a trap
#                           or a full memory in one cannot reach the other
#   --direct-mounts         serve web/pages from where it is instead of copying it at every start
#   --runtime-config-file   connection pooling and its limit, see there
#   --cache                 see above
#   --state-dir             empty: no key-value store and no log files; lines go to the container's log. Spin
#                           refuses an empty --log-dir
#   --max-instance-reuse-count  100000 requests before an instance is replaced: an instance keeps tokens,
#                           secrets and delegation keys, which 128 (Spin's default) would throw away every second
#                           under load; the end bounds what a leak could ever grow to
#   --idle-instance-timeout 60 s: longer than the pauses between polls, so that those keys survive them; Spin's
#                           default of 1 s would fetch a token for nearly every request of a quiet hour
#   --max-instance-concurrent-reuse-count  api: 16, Spin's default, is what shares one instance's caches and
#                           what a trap would take with it. worker: 1, so that the two drains of a replica do
#                           not share a fate, each working on many tasks, and that a handler of the same
#                           application has one task per instance
CMD ["api", "--grace", "15", "--", "spin", "up", "--from", "/app/spin.toml", "--component-id", "api", "--direct-mounts", "--runtime-config-file", "/app/runtime-config.toml", "--cache", "/app/compile-cache.toml", "--state-dir", "", "--listen", "0.0.0.0:3000", "--max-instance-reuse-count", "100000", "--max-instance-concurrent-reuse-count", "16", "--idle-instance-timeout", "60s"]
