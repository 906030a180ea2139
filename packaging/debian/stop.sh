# io goes first: it drops READY and writes the reject state while all others still answer. Cameras are stopped by name,
# sync and a retry that waits are no part of the target.
stop_in_order() {
    [ -d /run/systemd/system ] || return 0
    if systemctl is-active --quiet okng.target; then : >/run/okng-was-active; fi
    systemctl stop 'okng-retry@*.service' okng-sync.timer okng-sync.service >/dev/null 2>&1 || true
    systemctl stop okng-io.service >/dev/null 2>&1 || true
    systemctl stop okng.target 'okng-camera@*.service' >/dev/null 2>&1 || true
    for unit in @PROCESSES@; do
        systemctl stop "okng-$unit.service" >/dev/null 2>&1 || true
    done
}
