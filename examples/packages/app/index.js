console.log(require('@samples/greeting')('application'))
