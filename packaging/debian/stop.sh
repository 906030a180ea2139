# io goes first: it drops READY and writes the reject state while all others still answer. Cameras are stopped by name,
# sync and a retry that waits are no part of the target.
stop_in_order() {
    [ -d /run/systemd/system ] || return 0
    # Not in /run: an upgrade that a power cut breaks off is taken up after the next start of the machine.
    if systemctl is-active --quiet okng.target; then mkdir -p /var/lib/okng && : >/var/lib/okng/was-active; fi
    systemctl stop 'okng-retry@*.service' okng-sync.timer okng-sync.service okng-sync-watch.service >/dev/null 2>&1 || true
    systemctl stop okng-io.service >/dev/null 2>&1 || true
    systemctl stop okng.target 'okng-camera@*.service' >/dev/null 2>&1 || true
    for unit in @PROCESSES@; do
        systemctl stop "okng-$unit.service" >/dev/null 2>&1 || true
    done
}
