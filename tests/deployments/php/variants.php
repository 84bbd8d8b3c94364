<?php

// Finds the behaviour that the command line names.

declare(strict_types=1);

require __DIR__ . '/Store.php';
require __DIR__ . '/Behaviour.php';
require __DIR__ . '/dialects.php';
require __DIR__ . '/faults.php';

function listing(array $variants): array
{
    $entries = [];
    foreach ($variants as $class => [$name, $clauses, $summary]) {
        $entries[] = ['name' => $name, 'clauses' => $clauses, 'summary' => $summary];
    }
    return $entries;
}

function behaviour(): Behaviour
{
    $settings = json_decode(file_get_contents(getenv('DEPLOYMENT_SETTINGS')));
    foreach (getenv('DEPLOYMENT_KIND') === 'fault' ? FAULTS : DIALECTS as $class => [$name]) {
        if ($name === getenv('DEPLOYMENT_NAME')) {
            return new $class($settings, new Store(getenv('DEPLOYMENT_STORE')));
        }
    }
    throw new RuntimeException('there is no ' . getenv('DEPLOYMENT_NAME') . '; see --list');
}
