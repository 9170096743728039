// SPDX-License-Identifier: GPL-3.0-or-later
// Compiles a job as a Flamenco manager does: node flamenco.js JOB_TYPE.js '{"settings": ...}'
// prints the job type and the tasks as JSON. A task is copied when it is added, as there.
"use strict";

const fs = require("fs");
const vm = require("vm");

class Task {
    constructor(name, type) {
        this.name = name;
        this.type = type;
        this.commands = [];
        this.dependencies = [];
    }

    addCommand(command) {
        this.commands.push(command);
    }

    addDependency(task) {
        this.dependencies.push(task.name);
    }
}

function required(value, what) {
    if (typeof value !== "string" || value.trim() === "") {
        throw new Error(`author.Task: ${what} is required`);
    }
    return value.trim();
}

const world = vm.createContext({
    author: {
        Task: (name, type) => new Task(required(name, "name"), required(type, "type")),
        Command: (name, parameters) => ({ name: name, parameters: parameters }),
    },
    shellSplit: (text) => text.split(/\s+/).filter((word) => word !== ""),
});

const [file, settings] = process.argv.slice(2);
vm.runInContext(fs.readFileSync(file, "utf8"), world, { filename: file });
world.tasks = [];
world.job = {
    settings: JSON.parse(settings),
    addTask: (task) => world.tasks.push(JSON.parse(JSON.stringify(task))),
};
const type = vm.runInContext("compileJob(job); JOB_TYPE", world);
console.log(JSON.stringify({ type: type, tasks: world.tasks }));
