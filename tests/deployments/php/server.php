<?php

// The command line: starts PHP's built-in server with router.php, and courier.php beside it; ends both.

declare(strict_types=1);

require __DIR__ . '/variants.php';

const OPTIONS = ['settings:', 'dialect:', 'fault:', 'list'];

function free_port(): int
{
    $probe = stream_socket_server('tcp://127.0.0.1:0');
    $port = (int) substr(strrchr(stream_socket_get_name($probe, false), ':'), 1);
    fclose($probe);
    return $port;
}

function wait_for(int $port): void
{
    for ($attempt = 0; $attempt < 500; $attempt++) {
        $connection = @stream_socket_client("tcp://127.0.0.1:$port", timeout: 1);
        if ($connection !== false) {
            fclose($connection);
            return;
        }
        usleep(20_000);
    }
    throw new RuntimeException('the server did not start');
}

function start(array $options): void
{
    if (posix_getpgrp() !== posix_getpid()) {
        posix_setpgid(0, 0); // so that only our own processes end with us
    }
    $folder = sys_get_temp_dir() . '/deployment-' . bin2hex(random_bytes(8));
    mkdir($folder, 0700);
    try {
        $kind = isset($options['fault']) ? 'fault' : 'dialect';
        $environment = [
            'DEPLOYMENT_SETTINGS' => $options['settings'],
            'DEPLOYMENT_KIND' => $kind,
            'DEPLOYMENT_NAME' => $options[$kind] ?? 'natural',
            'DEPLOYMENT_STORE' => "$folder/calls.sqlite",
        ];
        foreach ($environment as $name => $value) {
            putenv("$name=$value");
        }
        $behaviour = behaviour();
        $behaviour->store->create();
        putenv("PHP_CLI_SERVER_WORKERS=$behaviour->workers");
        $port = free_port();
        $quiet = [['file', '/dev/null', 'r'], ['file', '/dev/null', 'w'], STDERR];
        $errors = '-d display_errors=' . ($behaviour->displaysErrors ? '1' : '0');
        $serving = proc_open("exec php $errors -d html_errors=0 -q -S 127.0.0.1:$port " . __DIR__ . '/router.php', $quiet, $pipes);
        $delivering = proc_open('exec php ' . __DIR__ . '/courier.php', $quiet, $pipes);
        wait_for($port);
        echo "listening on http://127.0.0.1:$port\n";
        while (!feof(STDIN)) {
            fread(STDIN, 8192);
        }
    } finally {
        array_map('unlink', glob("$folder/*"));
        rmdir($folder);
        posix_kill(0, SIGTERM);
    }
}

$options = getopt('', OPTIONS);
if (isset($options['list'])) {
    echo json_encode(['dialects' => listing(DIALECTS), 'faults' => listing(FAULTS)]);
} else {
    start($options);
}
