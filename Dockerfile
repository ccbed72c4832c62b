# One image for two roles, selected by the arguments: `api …` (the default) or `worker …`. infra/arguments.json lists the
# deployed command lines, including those below; `launcher --help` explains the launcher's options.
# No build mounts and no here-documents: the registry's builder (azd's remoteBuild) supports neither.

# Spin 4.1 or newer: the components speak WASI 0.3.0, which 4.0 does not.
ARG SPIN_VERSION=v4.1.0
ARG RUST_VERSION=1.95.0
ARG NODE_VERSION=22

# The files of Swagger UI, which are too large to be part of the component.
FROM node:${NODE_VERSION}-bookworm-slim AS pages
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN ["npm", "ci"]
COPY web web
RUN ["node", "web/vendor.mjs"]

# The components and the launcher. Alpine's target is musl, so the launcher is statically linked.
FROM rust:${RUST_VERSION}-alpine AS build
ARG RUST_VERSION
# The compiler of the base image, instead of the one that rust-toolchain.toml would download.
ENV RUSTUP_TOOLCHAIN=${RUST_VERSION}
# hadolint ignore=DL3018
RUN apk add --no-cache musl-dev
RUN ["rustup", "target", "add", "wasm32-wasip2"]
WORKDIR /src
COPY . .
RUN ["cargo", "build", "--locked", "--release", "--target", "wasm32-wasip2", "--package", "api-component", "--package", "worker-component", "--package", "handler-adapter", "--package", "handler-adapter-progress"]
RUN ["cargo", "build", "--locked", "--release", "--package", "launcher"]

# No shell, no package manager: Spin is one static binary.
FROM ghcr.io/spinframework/spin:${SPIN_VERSION}-distroless
WORKDIR /app
# The manifest names the components by their path in the build folder.
COPY spin.toml runtime-config.toml infra/container/compile-cache.toml ./
COPY --from=build /src/target/wasm32-wasip2/release/api_component.wasm /src/target/wasm32-wasip2/release/worker_component.wasm /src/target/wasm32-wasip2/release/handler_adapter.wasm /src/target/wasm32-wasip2/release/handler_adapter_progress.wasm target/wasm32-wasip2/release/
# Task handlers, as they were built beside their sources (`cargo xtask build`, `spin build`): their languages are not in this image.
COPY handlers handlers
COPY --from=pages /src/web/pages web/pages
COPY --from=build /src/target/release/launcher /usr/local/bin/launcher

# Only /tmp must be writable, because Spin unpacks the application there; the root file system may be read-only.
ENV HOME=/tmp TMPDIR=/tmp

# Compile here instead of at every start from zero replicas: Spin starts once in each role and stores the compiled code in
# /app/compile-cache. If the processor at run time differs, Spin compiles again, which takes a second.
RUN ["/usr/local/bin/launcher", "warm", "--health-url", "http://127.0.0.1:3000/.well-known/spin/health", "--get", "http://127.0.0.1:3000/healthz", "--", "spin", "up", "--from", "/app/spin.toml", "--component-id", "api", "--direct-mounts", "--cache", "/app/compile-cache.toml", "--state-dir", "", "--listen", "127.0.0.1:3000"]
RUN ["/usr/local/bin/launcher", "warm", "--health-url", "http://127.0.0.1:3000/.well-known/spin/health", "--get", "http://127.0.0.1:3000/drain", "--", "spin", "up", "--from", "/app/spin.toml", "--component-id", "worker", "--direct-mounts", "--cache", "/app/compile-cache.toml", "--state-dir", "", "--listen", "127.0.0.1:3000"]

# An unprivileged user that owns no files.
USER 65532:65532
EXPOSE 3000
ENTRYPOINT ["/usr/local/bin/launcher"]
# The host listens on port 3000 in both roles, in the worker's on loopback only.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["/usr/local/bin/launcher", "health", "--url", "http://127.0.0.1:3000/.well-known/spin/health"]

# The options of Spin:
#   --component-id          one role per container: the worker's route is not on the API's ingress, and a trap or
#                           exhausted memory in one role does not affect the other
#   --direct-mounts         serve web/pages from its folder instead of copying it at every start
#   --runtime-config-file   connection pooling and its limit, see that file
#   --cache                 see above
#   --state-dir             empty: no key-value store and no log files; lines go to the container's log. Spin
#                           refuses an empty --log-dir
#   --max-instance-reuse-count  100000 requests before an instance is replaced: an instance caches tokens, secrets
#                           and delegation keys, which Spin's default of 128 would discard every second under
#                           load; the limit bounds a possible leak
#   --idle-instance-timeout 60 s: longer than the pauses between polls, so that these caches stay; Spin's default
#                           of 1 s would request a token for nearly every request of a quiet hour
#   --max-instance-concurrent-reuse-count  api: 16, Spin's default, the number of requests that share the caches of an
#                           instance and that a trap would end. worker: 1, so that a trap ends only one of the two
#                           drains of a replica. The launcher runs the handlers in a process of their own
#                           (--handlers-listen) with an instance for each task and --handlers-memory per instance
CMD ["api", "--grace", "15", "--", "spin", "up", "--from", "/app/spin.toml", "--component-id", "api", "--direct-mounts", "--runtime-config-file", "/app/runtime-config.toml", "--cache", "/app/compile-cache.toml", "--state-dir", "", "--listen", "0.0.0.0:3000", "--max-instance-reuse-count", "100000", "--max-instance-concurrent-reuse-count", "16", "--idle-instance-timeout", "60s"]
