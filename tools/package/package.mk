# Packages of Debian, the archive of the source, the bill of materials. All of them are the same bytes
# for the same input (tools/package/epoch).
REVISION ?= 1
OUT ?= build$(if $(system_librdkafka),/system)/package
# Where the root for another architecture is made, and left for the next time; none: one for this time.
CROSS_ROOT ?=

# The line for another architecture names no $(MAKE): `make -n` would run it for real, root and all.
deb: ## a Debian package of it, in build/package; REVISION=2, OUT=DIR, ARCH=arm64
ifeq ($(cross),)
	@tools/deps.sh deb
	@$(MAKE) --no-print-directory $(jobs) deb-of-build
else
	@tools/package/cross $(cross) '$(OUT)' '$(CROSS_ROOT)' REVISION='$(REVISION)' \
	    SYSTEM_LIBRDKAFKA='$(system_librdkafka)' LIBRDKAFKA_TARBALL='$(LIBRDKAFKA_TARBALL)'
endif

deb-of-build: all
	@PYTHON='$(PYTHON)' tools/package/deb '$(VERSION)-$(REVISION)' '$(OUT)' '$(ARCH)' $(MAKE)

dist: ## the source as one archive, in build/package
	@tools/package/dist '$(VERSION)' '$(OUT)/walferry-$(VERSION).tar.gz'

sbom: $(B)/walferry ## what is linked, as CycloneDX JSON, in build/package
	@tools/deps.sh deb
	@mkdir -p '$(OUT)'
	@$(PYTHON) tools/package/sbom $(B)/walferry '$(VERSION)' >'$(OUT)/walferry.cdx.json.new'
	@mv '$(OUT)/walferry.cdx.json.new' '$(OUT)/walferry.cdx.json'
	@echo '$(OUT)/walferry.cdx.json'

test-packages: ## the package built, installed, run by systemd, upgraded, purged in clean Debian roots
	@tools/deps.sh packages
	@tests/packages/run $(ARGS)

test-kubernetes: ## the manifests and the Helm chart against the schemas of Kubernetes
	@tools/deps.sh packages
	@$(MAKE) --no-print-directory $(jobs) all
	@$(PYTHON) -W ignore::DeprecationWarning tests/kubernetes/run

.PHONY: deb deb-of-build dist sbom test-packages test-kubernetes
