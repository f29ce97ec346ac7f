# What recorded command lines use besides docker's own commands; DOCKER_HOST says against whom they are replayed.

crun_() { # NAME NETWORK [OPTION...]: a busybox that waits for somebody who types
    local name=$1 network=$2
    shift 2
    docker run -itd --name "$name" --net "$network" "$@" busybox
}

web() { # CONTAINER ADDRESS: serves a page that says hi, which the host can have when this returns
    docker exec -d "$1" sh -c 'mkdir -p /var/www; echo hi > /var/www/index.html; httpd -f -p 80 -h /var/www'
    until curl -sm20 -o /dev/null "http://$2/"; do sleep 0.1; done
}

callers() { # NAMESPACE PORT COUNT: prints from what addresses so many connections reach the port there, until `wait`
    ip netns exec "$1" timeout 30 "$PYTHON" "$CALLERS" "$2" "$3" &
    until ip netns exec "$1" ss -Hltn "sport = :$2" | grep -q .; do sleep 0.1; done
}

subnet() { # NETWORK...: its blocks
    docker network inspect -f '{{.Name}}{{range .IPAM.Config}} {{.Subnet}} gw={{.Gateway}} range={{.IPRange}}{{end}}' "$@"
}

ips() { # CONTAINER...: the address on each of its networks
    docker inspect -f '{{.Name}}{{range $name, $end := .NetworkSettings.Networks}} {{$name}}={{$end.IPAddress}}{{end}}' "$@"
}

inc() { # CONTAINER COMMAND...: a program of the host on the container's network
    ip netns exec "$@"
}

inhost() { # COMMAND...: on the host
    "$@"
}

inext() { # COMMAND...: on the host's neighbour, 198.51.100.1
    ip netns exec outside "$@"
}

upstream() { # on | off: whether the name server of that neighbour is there
    inext nft flush ruleset
    case $1 in
        off) inext nft 'table ip t { chain c { type filter hook input priority 0; udp dport 53 reject; tcp dport 53 reject with tcp reset; }; }' ;;
    esac
}

uplog() { # what reached that name server since it was asked last
    printf 'upstream saw: '
    LC_ALL=C sort "$SEEN" | uniq -c | awk '{ printf "%s %sx%s;", $2, $3, $1 }'
    echo
    : > "$SEEN"
}

p1() { # CONTAINER TARGET: one ping
    docker exec "$1" ping -c 1 -W 1 "$2"
}

q() ( # CONTAINER [OPTION...] NAME [TYPE [CLASS]]: what the name service of the container answers
    container=$1
    shift
    set -o pipefail
    inc "$container" dig +tries=1 +time="${T:-10}" +noall +comments +answer @"${S:-127.0.0.11}" "$@" | awk '
        /^;; (communications|connection|no servers)/ { print; next }
        /->>HEADER<<-/ { sub(/.*status: /, ""); sub(/,.*/, ""); status = $0; next }
        /^;; flags:/ { sub(/^;; /, ""); sub(/;.*/, ""); flags = $0; next }
        /^[^;]/ { answers = answers $1 " " $2 " " $4 " " $5 "  |" }
        END { if (status) print "status: " status "; " flags "; answers: " answers }'
)

api() { # METHOD PATH [BODY]: a request as no client would make it, and its status
    "$PYTHON" "$ASK" "$@"
}
