# Opens sockets as a service manager does, and becomes the program they are for:
#   perl socket_activator.pl NAME=unix:PATH NAME=tcp:PORT ... -- PROGRAM ARGUMENT...
# Prints the port of each TCP socket on standard error.
use strict;
use Socket;
use POSIX ();

my (@names, @sockets);
while (@ARGV) {
    my $word = shift;
    last if $word eq "--";
    my ($name, $kind, $place) = $word =~ /^([^=]*)=(unix|tcp):(.*)$/ or die "cannot read $word\n";
    my $socket;
    if ($kind eq "unix") {
        socket($socket, PF_UNIX, SOCK_STREAM, 0) or die "socket: $!\n";
        bind($socket, sockaddr_un($place)) or die "bind $place: $!\n";
        chmod 0600, $place;
    } else {
        socket($socket, PF_INET, SOCK_STREAM, 0) or die "socket: $!\n";
        bind($socket, sockaddr_in($place, INADDR_LOOPBACK)) or die "bind $place: $!\n";
        my ($port) = sockaddr_in(getsockname($socket));
        print STDERR "opened $name $port\n";
    }
    listen($socket, 64) or die "listen: $!\n";
    push @names, $name;
    push @sockets, $socket;
}

# Away from where they are wanted first, so that none is overwritten; copies outlive the exec.
my $aside = 100;
POSIX::dup2(fileno($sockets[$_]), $aside + $_) for 0 .. $#sockets;
POSIX::dup2($aside + $_, 3 + $_) for 0 .. $#sockets;
POSIX::close($_) for 3 + @sockets .. $aside + $#sockets;

$ENV{LISTEN_PID} = $$;
$ENV{LISTEN_FDS} = @sockets;
$ENV{LISTEN_FDNAMES} = join ":", @names;
exec @ARGV or die "cannot start $ARGV[0]: $!\n";
