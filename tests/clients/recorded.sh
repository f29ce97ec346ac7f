# What recorded command lines use besides docker's own commands; DOCKER_HOST says against whom they are replayed.

crun_() { # NAME NETWORK [OPTION...]: a container that runs until it is stopped
    local name=$1 network=$2
    shift 2
    "$NETADMIN" run -d --name "$name" --net "$network" "$@"
}

run_() { # NAME NETWORK [OPTION...]: a busybox that waits for somebody who types
    local name=$1 network=$2
    shift 2
    docker run -itd --name "$name" --net "$network" "$@" busybox
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

p1() { # CONTAINER TARGET: one ping
    docker exec "$1" ping -c 1 -W 1 "$2"
}

q() { # CONTAINER [OPTION...] NAME [TYPE [CLASS]]: what the name service of the container answers
    local container=$1
    shift
    inc "$container" dig +tries=1 +time=2 +noall +comments +answer @127.0.0.11 "$@" | awk '
        /^;; (communications|connection|no servers)/ { print; next }
        /->>HEADER<<-/ { sub(/.*status: /, ""); sub(/,.*/, ""); status = $0; next }
        /^;; flags:/ { sub(/^;; /, ""); sub(/;.*/, ""); flags = $0; next }
        /^[^;]/ { answers = answers $1 " " $2 " " $4 " " $5 "  |" }
        END { if (status) print "status: " status "; " flags "; answers: " answers }'
}

api() { # METHOD PATH [BODY]: a request as no client would make it, and its status
    "$PYTHON" "$ASK" "$@"
}
