# docker build -t weir . && docker run -p 8080:8080 -v $PWD/weir.yaml:/etc/weir/weir.yaml weir
# The same steps and the same package list as `make build`.
FROM debian:12-slim AS build
WORKDIR /src
COPY .ci/deps .ci/packages.txt .ci/
RUN apt-get update -q && .ci/deps build
COPY . .
RUN .ci/build && strip --strip-debug out/release/bin/weir

FROM debian:12-slim
COPY .ci/deps .ci/packages.txt /tmp/ci/
# Lists and caches go again: the image carries what runs and no more.
RUN apt-get update -q && /tmp/ci/deps runtime \
  && rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb /tmp/ci \
  && useradd --system --no-create-home --shell /usr/sbin/nologin weir \
  && install -d -o weir -g weir /run/weir /etc/weir
COPY --from=build /src/out/release/bin/weir /usr/local/bin/weir
COPY conf/image.yaml /etc/weir/weir.yaml
USER weir
EXPOSE 8080
# SIGTERM drains; give it longer than shutdown.drain (`docker stop -t 40`).
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/weir"]
CMD ["run", "-c", "/etc/weir/weir.yaml"]
